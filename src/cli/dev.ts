import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PipelineConfig } from '../config/index.js';
import { XACT } from '../domains/xact/topics.js';
import { type Capture, createCapture } from '../http/index.js';
import { allowedHostsOf } from '../http/url-policy.js';
import type { Catalogue } from '../plugin/definition.js';
import { type FileServer, simulate, startFileServer } from '../simulator/index.js';
import type { NewRecord } from '../transport/transport.js';
import { claimChecks } from '../runtime/claim-check.js';
import { openLocalBlobs } from '../storage/blob/index.js';
import { cliDomain } from './domain.js';
import { EXIT } from './exit-codes.js';
import { lineRecord, writeLines } from './ingest.js';
import { logName } from './open-log.js';
import { WORKER_NAMES } from './pipeline.js';
import { aborted, finish, pause, untilIdle, watchRunning } from './run.js';
import { openRunning, type Running } from './running.js';
import { DEFAULT_DATA, type Shell } from './shell.js';
import { interruptible } from './signals.js';
import { version } from './version.js';

export interface DevFlags {
  readonly events?: number;
  readonly seed: string;
  /** Events a second. */
  readonly rate?: number;
  readonly sendWebhooks?: boolean;
  readonly api: boolean;
}

const DEFAULT_RATE = 20;
const MAX_RECORD = 8 * 1024 * 1024;
const BATCH = 500;
const TICK_MS = 50;

/** The whole pipeline over simulated events: without a number of events until interrupted, else until they and their retries have left. */
export async function devCommand(shell: Shell, flags: DevFlags, catalogue: Catalogue): Promise<number> {
  return interruptible(async ({ signal, exitCode }) => {
    let files: FileServer | undefined;
    let capture: Capture | undefined;
    const running = await openRunning(
      { ...shell, config: shell.config ?? demoConfig() },
      {
        catalogue,
        workers: WORKER_NAMES,
        api: flags.api,
        adapt: async (config, data) => {
          files = await startFileServer({ directory: data.state, seed: flags.seed });
          return pointedAt(config, files, shell.env);
        },
        capture: (config) => {
          if (flags.sendWebhooks === true) return undefined;
          capture = createCapture({ connections: config.connections });
          return capture;
        },
      },
    ).catch(async (error: unknown) => {
      await files?.close();
      throw error;
    });
    const watch = watchRunning(shell, running);
    try {
      shell.notice(banner(running, flags));
      running.pipeline.start();
      await feed(running, flags, signal);
      if (flags.events === undefined) await aborted(signal);
      else await untilIdle(running.pipeline, { signal, waitRetries: true, onWaiting: watch.waiting });
      const report = await finish(running, watch.progress);
      if (shell.json) shell.print(JSON.stringify(report));
      else shell.notice(summary(report, capture, shell));
      return exitCode(EXIT.fine);
    } finally {
      watch.progress.stop();
      await running.end();
      await files?.close();
    }
  });
}

function demoConfig(): string {
  return join(packageRoot(), 'config', 'demo.yaml');
}

function packageRoot(): string {
  return join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
}

/** The simulator's stable host names lead to its server of this run, and are allowed whatever pipeline it feeds. */
function pointedAt(config: PipelineConfig, files: FileServer, env: Shell['env']): PipelineConfig {
  const allowed = allowedHostsOf({ allowedHosts: config.http.allowedHosts, environment: env });
  return {
    ...config,
    http: {
      ...config.http,
      allowedHosts: [...new Set([...allowed, ...files.hosts])],
      resolve: { ...config.http.resolve, ...files.resolve },
    },
  };
}

/** Puts simulated lines on the raw topic: as fast as it takes them when they are counted, else at the rate. */
async function feed({ transport, data }: Running, { events, seed, rate }: DevFlags, signal: AbortSignal): Promise<void> {
  const domain = cliDomain(XACT);
  const perSecond = rate ?? (events === undefined ? DEFAULT_RATE : Number.POSITIVE_INFINITY);
  const perTick = Math.min(BATCH, Math.max(1, Math.round((perSecond * TICK_MS) / 1000)));
  const writing = { transport, domain, claims: claimChecks({ blobs: await openLocalBlobs({ directory: data.claims }) }) };
  let batch: NewRecord[] = [];
  let line = 0;
  for (const bytes of simulate({ seed, ...(events === undefined ? {} : { events }) })) {
    if (signal.aborted) return;
    line += 1;
    batch.push(lineRecord(bytes, { domain, file: 'simulator', line, isText: false, maxRecord: MAX_RECORD }));
    if (batch.length < perTick) continue;
    await writeLines(batch, writing);
    batch = [];
    if (Number.isFinite(perSecond)) await pause((perTick * 1000) / perSecond, signal);
  }
  if (batch.length > 0) await writeLines(batch, writing);
}

function banner({ config, data, pipeline, server }: Running, flags: DevFlags): string {
  const plugins = Object.keys(pipeline.chains.counts());
  const rows = [
    ['log', logName(config, data)],
    ['config', config.file],
    ['plugins', `${plugins.length}: ${plugins.join(', ')}`],
    [
      'events',
      flags.events === undefined
        ? `${flags.rate ?? DEFAULT_RATE} a second, simulated (--rate, --events N)`
        : `${flags.events}, simulated, seed ${flags.seed}`,
    ],
    ['webhooks', flags.sendWebhooks === true ? 'sent' : 'captured, not sent (--send-webhooks to send)'],
    ...(server === undefined ? [] : [['server', `${server.url}  /metrics /livez /readyz /health`]]),
  ];
  return [
    `penstock ${version()}  dev`,
    '',
    ...rows.map(([name, text]) => `  ${name!.padEnd(10)}${text}`),
    '',
    ...(flags.events === undefined ? ['  Ctrl-C drains and ends', ''] : []),
  ].join('\n');
}

function summary(report: Awaited<ReturnType<typeof finish>>, capture: Capture | undefined, shell: Shell): string {
  const doors = Object.entries(report.left).map(([door, count]) => `${door.replace('_', ' ')} ${count}`);
  const tables = Object.entries(report.tables).map(([table, rows]) => `${table} ${rows}`);
  const data = shell.data === DEFAULT_DATA ? '' : ` --data ${shell.data}`;
  return [
    '',
    `  ${report.entered} deliveries entered, all have left: ${doors.join(' · ')}`,
    `  tables    ${tables.join(' · ')}`,
    `  files     ${report.files}`,
    ...(capture === undefined ? [] : [`  webhooks  ${capture.count()} captured`]),
    `  look at   npx penstock dlq ls${data} · npx penstock topics ls${data}`,
  ].join('\n');
}
