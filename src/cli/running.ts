import { hasErrors, type PipelineConfig } from '../config/index.js';
import { PenstockError } from '../diagnostics/index.js';
import { STAGE_SCHEMAS, XACT_STAGES } from '../domains/xact/stages.js';
import { XACT, type XactWorker } from '../domains/xact/topics.js';
import { connectionHosts, createCapture, createFetch, createWebhookPerformer, type WebhookPerformer } from '../http/index.js';
import {
  createHealth,
  createLogger,
  createMetrics,
  type Health,
  type HttpServer,
  type Logger,
  type Metrics,
  startHttpServer,
} from '../observe/index.js';
import { assemble } from '../plugin/index.js';
import type { Catalogue } from '../plugin/definition.js';
import { sealing } from '../runtime/sealing.js';
import type { Transport } from '../transport/transport.js';
import { type DataDirectory, openDataDirectory } from './data-directory.js';
import { InvalidConfiguration } from './exit-codes.js';
import { openLog } from './open-log.js';
import { openPipeline, type Pipeline } from './pipeline.js';
import { loadWhole } from './settings.js';
import type { Shell } from './shell.js';
import { claimLifeMs, startUpkeep } from './upkeep.js';
import { version } from './version.js';

export interface RunOptions {
  readonly catalogue: Catalogue;
  readonly workers: readonly XactWorker[];
  /** Changes the configuration as loaded, before anything is opened. */
  readonly adapt?: (config: PipelineConfig, data: DataDirectory) => Promise<PipelineConfig>;
  /** What performs webhooks and e-mails, or none to send them. Defaults to what the configuration says. */
  readonly capture?: (config: PipelineConfig) => WebhookPerformer | undefined;
  readonly api?: boolean;
}

/** A pipeline that is open, with everything round it. */
export interface Running {
  readonly config: PipelineConfig;
  readonly data: DataDirectory;
  readonly transport: Transport;
  readonly pipeline: Pipeline;
  readonly log: Logger;
  readonly health: Health;
  readonly server: HttpServer | undefined;
  /** Drains within the configured time, unloads the plugins and closes everything; says what was stuck. Idempotent. */
  end(drainTimeoutMs?: number): Promise<readonly string[]>;
}

/** At which stages a worker runs plugins; what goes wrong is observed in each of them. */
const OWN_STAGES: Readonly<Partial<Record<XactWorker, readonly string[]>>> = {
  'xact-event-ingester': ['event_ingest', 'enrichment_complete'],
  'xact-download': ['download_queued', 'download_complete'],
  'xact-upload': ['upload_complete'],
  'xact-result-processor': ['result_process'],
  'xact-delta-events': ['event_ingest', 'delta_write'],
};
const SHARED_STAGES = ['error', 'retry', 'dlq'];

const VERBOSE = ['debug', 'trace'] as const;

/** Loads, checks and opens a pipeline; nothing flows yet. Throws `InvalidConfiguration` with all findings before anything is opened. */
export async function openRunning(shell: Shell, options: RunOptions): Promise<Running> {
  const loaded = await loadWhole(shell, options.catalogue, [XACT]);
  const data = openDataDirectory(shell.data);
  const config = (await options.adapt?.(loaded.config, data)) ?? loaded.config;
  const log = createLogger({ level: VERBOSE[shell.verbosity - 1] ?? (shell.quiet ? 'error' : config.log.level) });
  const halt = { by: (_plugin: string, _error: unknown): void => undefined };
  const { set, diagnostics } = assemble({
    domain: XACT,
    entries: loaded.entries[XACT] ?? [],
    catalogue: options.catalogue,
    stages: XACT_STAGES.map((name) => ({ name, message: STAGE_SCHEMAS[name] })),
    log: ({ level, message, ...line }) =>
      log[level](message, { ...line, ...(line.error === undefined ? {} : { error: String(line.error) }) }),
    onStop: (plugin, error) => halt.by(plugin, error),
  });
  if (hasErrors(diagnostics)) throw new InvalidConfiguration([...loaded.diagnostics, ...diagnostics]);
  shell.show([...loaded.diagnostics, ...diagnostics]);
  const metrics: Metrics = createMetrics({ ofProcess: true });
  const health = createHealth();
  const closing: (() => Promise<unknown>)[] = [hearStrays(log)];
  const closeAll = async (): Promise<void> => {
    for (const close of closing.splice(0).toReversed()) {
      try {
        await close();
      } catch (error) {
        log.error('something could not be closed', { error: String(error) });
      }
    }
  };
  try {
    const transport = await openLog(config, data, (error) => log.warn('the log', { code: codeOf(error), error: error.message }));
    closing.push(() => transport.close());
    await set.load();
    closing.push(() => set.unload());
    const capture = (options.capture ?? captureOf)(config);
    const pipeline = await openPipeline({
      config,
      data,
      transport,
      chains: set,
      workers: options.workers,
      log,
      metrics,
      health,
      env: shell.env,
      sealing: sealing(Object.fromEntries(loaded.variables.map(({ name }) => [name, shell.env[name]]))),
      sender: capture ?? senderOf(config, shell.env),
      captured: capture !== undefined,
    });
    closing.push(() => pipeline.close());
    halt.by = (plugin, error) => {
      for (const host of pipeline.hosts) {
        const stages = [...(OWN_STAGES[host.name as XactWorker] ?? []), ...SHARED_STAGES];
        if (stages.some((stage) => set.stage(stage).plugins.some(({ name }) => name === plugin))) host.halt(error);
      }
    };
    const claimLife = claimLifeMs(config.perDomain[XACT]!.topics);
    const folders = [
      { path: data.cache },
      { path: data.tmp },
      ...(claimLife === undefined ? [] : [{ path: data.claims, staleMs: claimLife }]),
    ];
    const endUpkeep = startUpkeep({ transport, folders, tidy: () => pipeline.tidy(), log });
    closing.push(endUpkeep);
    health.start();
    closing.push(async () => health.stop());
    const server = options.api === false || !config.api.enabled ? undefined : await serve(config, health, metrics, pipeline);
    if (server !== undefined) closing.push(() => server.close());
    let ended: Promise<readonly string[]> | undefined;
    return {
      config,
      data,
      transport,
      pipeline,
      log,
      health,
      server,
      end: (drainTimeoutMs = config.drainTimeoutMs) =>
        (ended ??= pipeline.drain(drainTimeoutMs).then(async (stuck) => {
          await closeAll();
          return stuck;
        })),
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function codeOf(error: Error): string | undefined {
  return error instanceof PenstockError ? error.code : undefined;
}

/** Records webhooks and e-mails where the configuration says so. */
function captureOf({ actions, connections }: PipelineConfig): WebhookPerformer | undefined {
  return actions.capture ? createCapture({ connections }) : undefined;
}

function senderOf({ connections, actions, production, http }: PipelineConfig, env: Shell['env']): WebhookPerformer {
  const fetch = createFetch({ trustedHosts: connectionHosts(connections), production, environment: env, resolve: http.resolve });
  return createWebhookPerformer({ connections, fetch, timeoutMs: actions.webhookTimeoutMs });
}

/** A promise that a plugin began and nobody waits for must not end the process when it fails: every restart would meet it again. Ends when called. */
function hearStrays(log: Logger): () => Promise<void> {
  const told = (reason: unknown): void => {
    log.error('something that nobody waits for has failed: a plugin that does not return its promise, most likely', {
      error: String(reason),
      stack: reason instanceof Error ? reason.stack : undefined,
    });
  };
  process.on('unhandledRejection', told);
  return () => {
    process.off('unhandledRejection', told);
    return Promise.resolve();
  };
}

async function serve(config: PipelineConfig, health: Health, metrics: Metrics, pipeline: Pipeline): Promise<HttpServer> {
  const { host, port } = config.api;
  return startHttpServer({
    health,
    metrics,
    version: version(),
    host,
    port,
    describe: () => ({
      workers: Object.fromEntries(pipeline.hosts.map((worker) => [worker.name, { ...worker.doors(), in_flight: worker.inFlight() }])),
    }),
  });
}
