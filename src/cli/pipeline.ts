import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Observable } from 'rxjs';
import { type Delivery, type Outcome, OUTCOMES } from '../../operators/index.js';
import type { PipelineConfig } from '../config/index.js';
import { PenstockError } from '../diagnostics/index.js';
import { INGESTED_MARKS, xactEventIngester } from '../domains/xact/workers/xact-event-ingester.js';
import type { XactWorkerOptions } from '../domains/xact/workers/shell.js';
import { xactActions } from '../domains/xact/workers/xact-actions.js';
import { xactDeltaEvents } from '../domains/xact/workers/xact-delta-events.js';
import { xactDownload } from '../domains/xact/workers/xact-download.js';
import { xactResultProcessor } from '../domains/xact/workers/xact-result-processor.js';
import { xactRetry } from '../domains/xact/workers/xact-retry.js';
import { xactUpload } from '../domains/xact/workers/xact-upload.js';
import { XACT_STAGES } from '../domains/xact/stages.js';
import { XACT_ATTACHMENTS, XACT_ATTACHMENTS_FAILED, XACT_EVENTS } from '../domains/xact/tables.js';
import { allTopics, consumedTopics, logicalName, ofRetryTopic, topicName, WORKERS, XACT, type XactWorker } from '../domains/xact/topics.js';
import { connectionHosts, createDownloader, createFetch, createWebhookPerformer, type WebhookPerformer } from '../http/index.js';
import {
  type ActionMeter,
  actionMeter,
  createUserMetrics,
  type Health,
  type Logger,
  type Metrics,
  redactText,
  type UserMetrics,
  watchMarks,
  watchPlugins,
} from '../observe/index.js';
import type { PlannedAction } from '../plugin/index.js';
import type { LoadedChainSet } from '../plugin/chain-set.js';
import { type ClaimChecks, claimChecks } from '../runtime/claim-check.js';
import type { Failing } from '../runtime/failure-route.js';
import { guard } from '../runtime/guarded-call.js';
import { pluginActions, publisher } from '../runtime/plugin-actions.js';
import { carrySink } from '../runtime/sink.js';
import { chainsOf } from '../runtime/stage.js';
import { tableWriter, type TableWriter } from '../runtime/table-writer.js';
import { openLocalBlobs } from '../storage/blob/index.js';
import { openTable, parquetEncoder, type Table } from '../storage/delta/index.js';
import type { LogRecord, Transport } from '../transport/transport.js';
import type { DataDirectory } from './data-directory.js';
import { meteredBlobs, meteredDownload, meteredProduce, meteredTable } from './metered.js';
import { topicSpec } from './open-log.js';
import { type BuiltWorker, type WorkerHost, workerHost } from './worker-host.js';

export const WORKER_NAMES = Object.keys(WORKERS) as readonly XactWorker[];

export interface PipelineOptions {
  readonly config: PipelineConfig;
  readonly data: DataDirectory;
  readonly transport: Transport;
  readonly chains: LoadedChainSet;
  readonly workers: readonly XactWorker[];
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Performs webhooks and e-mails instead of sending them. */
  readonly capture?: WebhookPerformer | undefined;
}

/** What a run has done, as the last line of its output tells it. */
export interface RunReport {
  readonly entered: number;
  readonly left: Readonly<Record<Outcome, number>>;
  readonly workers: Readonly<Record<string, { readonly entered: number; readonly left: Readonly<Record<Outcome, number>> }>>;
  readonly tables: Readonly<Record<string, number>>;
  readonly files: number;
  readonly actions: Readonly<Record<string, number>>;
  readonly plugins: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly seconds: number;
}

export interface Pipeline {
  readonly hosts: readonly WorkerHost[];
  readonly chains: LoadedChainSet;
  start(): void;
  /** What keeps the pipeline from being idle; nothing when it is: every consumed topic at its end and nothing in flight. */
  busy(options?: { readonly waitRetries?: boolean }): Promise<string | undefined>;
  /** Drains every worker. What is stuck when the time is over is named, and released. */
  drain(timeoutMs: number): Promise<readonly string[]>;
  report(): Promise<RunReport>;
  /** Closes what was opened; the transport stays open. */
  close(): Promise<void>;
}

/** Opens everything that the chosen XACT workers need, and wires them. Nothing flows before `start`. */
export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { config, data, transport, chains, log, metrics } = options;
  const startedAt = performance.now();
  const domain = config.perDomain[XACT]!;
  await transport.ensureTopics(allTopics(domain.retryDelaysMs).map((name) => topicSpec(config, XACT, name, kindOf(name))));
  const opened: { close(): Promise<void> }[] = [];
  const tables = await openTables(options, opened);
  const actions = actionMeter(metrics, XACT);
  watchPlugins(metrics, chains);
  const hosts: WorkerHost[] = [];
  const wiring: Wiring = {
    options,
    tables,
    actions,
    counters: createUserMetrics(metrics),
    produce: meteredProduce(transport, metrics),
    claims: claimChecks({
      blobs: await openLocalBlobs({ directory: data.claims }),
      onWarning: (error) => log.warn('a value that nobody needs any more could not be removed', { error: String(error) }),
    }),
    identities: await identitiesOf(transport),
    hosts,
  };
  for (const name of options.workers) hosts.push(await hostFor(name, wiring));

  return {
    hosts,
    chains,
    start: () => hosts.forEach((host) => host.start()),
    async busy({ waitRetries = true } = {}) {
      for (const host of hosts) {
        if (!waitRetries && host.name === 'xact-retry') continue;
        if (host.inFlight() > 0) return `${host.name} has ${host.inFlight()} in flight`;
      }
      for (const host of hosts) {
        if (!waitRetries && host.name === 'xact-retry') continue;
        const left = await host.backlog();
        if (left > 0) return `${host.name} is ${left} behind`;
      }
      return hosts.every((host) => host.inFlight() === 0 || (!waitRetries && host.name === 'xact-retry'))
        ? undefined
        : 'something came in meanwhile';
    },
    async drain(timeoutMs) {
      const drained = Promise.all(hosts.map((host) => host.drain()));
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<'late'>((resolve) => {
        timer = setTimeout(() => resolve('late'), timeoutMs);
      });
      const outcome = await Promise.race([drained, late]);
      clearTimeout(timer);
      if (outcome !== 'late') return [];
      const stuck = hosts.flatMap((host) => host.stop().map((what) => `${host.name}: ${what}`));
      for (const what of stuck) log.warn('released by the end of the drain', { what });
      return stuck;
    },
    async report() {
      const workers = Object.fromEntries(hosts.map((host) => [host.name, host.doors()]));
      const doors = Object.values(workers);
      const left = Object.fromEntries(
        OUTCOMES.map((outcome) => [outcome, doors.reduce((sum, door) => sum + door.left[outcome], 0)]),
      ) as Record<Outcome, number>;
      return {
        entered: doors.reduce((sum, door) => sum + door.entered, 0),
        left,
        workers,
        tables: Object.fromEntries(
          await Promise.all(Object.entries(tables).map(async ([name, table]) => [name, await table.count()] as const)),
        ),
        files: await countFiles(data.files),
        actions: actions.counts(),
        plugins: chains.counts(),
        seconds: Math.round(performance.now() - startedAt) / 1000,
      };
    },
    async close() {
      for (const resource of opened.reverse()) await resource.close();
    },
  };
}

interface Wiring {
  readonly options: PipelineOptions;
  readonly tables: Readonly<Record<string, Table>>;
  readonly actions: ActionMeter;
  readonly counters: UserMetrics;
  readonly produce: Transport['produce'];
  readonly claims: ClaimChecks;
  /** Of each topic's log, for the tables' record of progress. */
  readonly identities: ReadonlyMap<string, string>;
  readonly hosts: readonly WorkerHost[];
}

function kindOf(topic: string): 'work' | 'retry' | 'deadLetter' {
  if (topic === topicName('xact.dlq')) return 'deadLetter';
  return ofRetryTopic(topic) === undefined ? 'work' : 'retry';
}

async function openTables(
  { config, data, workers, metrics }: PipelineOptions,
  opened: { close(): Promise<void> }[],
): Promise<Readonly<Record<string, Table>>> {
  const wanted = [
    ...(workers.includes('xact-delta-events') ? [XACT_EVENTS] : []),
    ...(workers.includes('xact-result-processor') ? [XACT_ATTACHMENTS, XACT_ATTACHMENTS_FAILED] : []),
  ];
  if (wanted.length === 0) return {};
  const encoder = parquetEncoder();
  opened.push(encoder);
  const tables: Record<string, Table> = {};
  for (const schema of wanted) {
    const directory = join(config.tables.directory ?? data.tables, schema.name);
    const table = await openTable({ directory, schema, encoder, checkpointEvery: config.tables.checkpointEvery });
    opened.push(table);
    tables[schema.name] = meteredTable(table, metrics);
  }
  return tables;
}

async function identitiesOf(transport: Transport): Promise<ReadonlyMap<string, string>> {
  const identities = new Map<string, string>();
  for (const topic of [topicName('xact.events'), topicName('xact.downloads_results')])
    identities.set(topic, await transport.identity(topic));
  return identities;
}

/** Those of the configured delays, and those that hold records of delays which were configured before. */
async function retryTopicsOf(transport: Transport, delaysMs: readonly number[]): Promise<readonly string[]> {
  const there = (await transport.topics())
    .map(({ name }) => name)
    .filter((name) => logicalName(ofRetryTopic(name)?.topic ?? '') !== undefined);
  return [...new Set([...consumedTopics('xact-retry', delaysMs), ...there])];
}

async function hostFor(name: XactWorker, wiring: Wiring): Promise<WorkerHost> {
  const { options } = wiring;
  const { config, transport, metrics, health } = options;
  const domain = config.perDomain[XACT]!;
  const settings = domain.workers[name];
  if (settings === undefined) throw new PenstockError('PS7000', `the configuration has no settings for ${name}`);
  const topics = name === 'xact-retry' ? await retryTopicsOf(transport, domain.retryDelaysMs) : consumedTopics(name, domain.retryDelaysMs);
  const make = await builderFor(name, wiring);
  const host: WorkerHost = workerHost({
    name,
    // Each delay has a consumer of its own: a long one that is full must not hold back a short one.
    topics: name === 'xact-retry' ? topics.map((topic) => [topic]) : [topics],
    transport,
    credits: { count: settings.credits, bytes: settings.maxInFlightBytes },
    log: options.log.child({ worker: name }),
    metrics,
    health,
    build: (source, signal) => {
      const shared = sharedOptions(name, source, signal, wiring, host);
      return make(shared, settings.concurrency);
    },
  });
  return host;
}

/** What all workers have in common: plugins, actions, retries, counting. */
function sharedOptions(
  name: XactWorker,
  source: Observable<Delivery<LogRecord>>,
  signal: AbortSignal,
  { options, actions, counters, produce, claims }: Wiring,
  host: WorkerHost,
): XactWorkerOptions {
  const { config, chains } = options;
  const log = options.log.child({ worker: name });
  const performed = pluginActions({
    domain: XACT,
    worker: name,
    produce,
    outboxTopic: topicName('xact.actions_outbox'),
    deadLetterTopic: topicName('xact.dlq'),
    concurrency: config.actions.concurrency,
    retry: { attempts: config.actions.attempts, base: config.actions.backoff.baseMs, cap: config.actions.backoff.capMs },
    redact: redactText,
    policyOf: (plugin) => chains.policyOf(plugin),
    log: ({ params }, planned, context) => {
      log[levelOf(params.level)](params.message, {
        plugin: planned.plugin,
        event_id: context.event_id,
        stage: context.stage,
        ...params.fields,
      });
    },
    metric: ({ params }) => counters.count(params.name, params.labels, params.value),
    onAction: (planned, result) => countAction(actions, planned, result),
  });
  return {
    source,
    signal,
    chains: chainsOf(chains, XACT_STAGES),
    perform: performed.perform,
    sink: carrySink,
    claims,
    retryDelaysMs: config.perDomain[XACT]!.retryDelaysMs,
    doneActions: performed.done,
    onDecision: (failing) => tellDecision(failing, host, log),
  };
}

function countAction(actions: ActionMeter, planned: PlannedAction, result: 'done' | 'queued' | 'dead_lettered'): void {
  if (result !== 'queued') actions.performed(planned.action.type, result);
}

function tellDecision(failing: Failing, host: WorkerHost, log: Logger): void {
  const { decision, category, error, retryCount, traceId } = failing;
  host.meter.failed(category);
  const fields = { trace_id: traceId, category, retry_count: retryCount, error: error instanceof Error ? error.message : String(error) };
  if (decision.action === 'retry') {
    host.meter.retried(category, decision.delayMs);
    log.info('failed, will be retried', { ...fields, topic: decision.topic });
  } else {
    host.meter.deadLettered(decision.reason);
    log.warn('given up, dead-lettered', { ...fields, reason: decision.reason });
  }
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

function levelOf(text: string | undefined): (typeof LEVELS)[number] {
  const asked = text?.toLowerCase() === 'warning' ? 'warn' : text?.toLowerCase();
  return LEVELS.find((level) => level === asked) ?? 'info';
}

type Builder = (shared: XactWorkerOptions, concurrency: number) => BuiltWorker;

async function builderFor(name: XactWorker, wiring: Wiring): Promise<Builder> {
  const { options } = wiring;
  const { config, data, transport, metrics, env } = options;
  const { http, perDomain } = config;
  const domain = perDomain[XACT]!;
  switch (name) {
    case 'xact-event-ingester': {
      const seen = transport.marks(INGESTED_MARKS, { capacity: domain.dedupe.capacity });
      watchMarks(metrics, INGESTED_MARKS, seen);
      const urls = { allowedHosts: http.allowedHosts, allowLocalhost: http.allowLocalhost, environment: env };
      return (shared) => ({ settled$: xactEventIngester({ ...shared, urls, seen, dedupeWindowMs: domain.dedupe.windowMs }) });
    }
    case 'xact-download': {
      const fetch = createDownloader({ ...http, directory: join(data.cache, XACT), production: config.production, environment: env });
      const download = meteredDownload(fetch, metrics, name);
      const hosts = guard({ ...http.breaker, halfOpenMax: PROBES, ignoreAuth: false });
      return (shared, concurrency) => ({
        settled$: xactDownload({
          ...shared,
          concurrency,
          download: (request, signal) =>
            hosts.run(
              hostOf(request.url),
              () => download(request, signal),
              signal,
              ...(shared.signal === undefined ? [] : [shared.signal]),
            ),
        }),
      });
    }
    case 'xact-upload': {
      const blobs = meteredBlobs(await openLocalBlobs({ directory: join(data.files, XACT) }), metrics);
      return (shared, concurrency) => ({ settled$: xactUpload({ ...shared, concurrency, blobs, cacheDirectory: join(data.cache, XACT) }) });
    }
    case 'xact-result-processor':
      return (shared) => {
        const rows = writerOf(name, [XACT_ATTACHMENTS.name, XACT_ATTACHMENTS_FAILED.name], wiring);
        return withWriter(rows, xactResultProcessor({ ...shared, rows }));
      };
    case 'xact-delta-events':
      return (shared) => {
        const rows = writerOf(name, [XACT_EVENTS.name], wiring);
        const tablePath = join(config.tables.directory ?? data.tables, XACT_EVENTS.name);
        const runEventIngest = domain.deltaEvents.runEventIngestPlugins;
        return withWriter(rows, xactDeltaEvents({ ...shared, rows, batchSize: config.tables.rows, tablePath, runEventIngest }));
      };
    case 'xact-retry':
      return (shared) => ({ settled$: xactRetry({ ...shared, maxHeld: domain.workers[name]!.credits }) });
    case 'xact-actions': {
      const fetch = createFetch({
        trustedHosts: connectionHosts(config.connections),
        production: config.production,
        environment: env,
        resolve: http.resolve,
      });
      const sender =
        options.capture ?? createWebhookPerformer({ connections: config.connections, fetch, timeoutMs: config.actions.webhookTimeoutMs });
      const performers = { ...sender, publish: publisher(wiring.produce) };
      return (shared, concurrency) => ({
        settled$: xactActions({
          ...shared,
          performers,
          concurrency,
          onDone: ({ action }) => wiring.actions.performed(action.type, options.capture === undefined ? 'done' : 'captured'),
        }),
      });
    }
    default:
      return name satisfies never;
  }
}

/** How many downloads a half-open breaker lets through at once. */
const PROBES = 5;

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}

function writerOf(worker: string, names: readonly string[], { tables, identities, options }: Wiring): TableWriter {
  const { flushMs, rows, maxBytes } = options.config.tables;
  return tableWriter({
    tables: Object.fromEntries(names.map((name) => [name, tables[name]!])),
    appId: (topic, partition) => `penstock/${worker}/${identities.get(topic)}/${partition}`,
    flushMs,
    maxRows: rows,
    maxBytes,
  });
}

function withWriter(writer: TableWriter, settled$: BuiltWorker['settled$']): BuiltWorker {
  return {
    settled$,
    drain: () => writer.drain(),
    lost: (topic, partition) => writer.lost(topic, partition),
    waitingFor: () => {
      const { rows, fault, waitingFor } = writer.state();
      return [
        ...(rows > 0 ? [`${rows} rows not written`] : []),
        ...(fault === undefined ? [] : [`the last write failed: ${String(fault.error)}`]),
        ...waitingFor.map(({ topic, partition, offset }) => `rows wait for ${topic}[${partition}]@${offset}`),
      ];
    },
  };
}

async function countFiles(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}
