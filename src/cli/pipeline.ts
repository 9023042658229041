import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Outcome, OUTCOMES } from '../../operators/index.js';
import { XACT_ATTACHMENTS, XACT_ATTACHMENTS_FAILED, XACT_EVENTS } from '../domains/xact/tables.js';
import { allTopics, ofRetryTopic, topicName, WORKERS, XACT, type XactWorker } from '../domains/xact/topics.js';
import { actionMeter, createUserMetrics, type Logger, watchPlugins } from '../observe/index.js';
import type { LoadedChainSet } from '../plugin/chain-set.js';
import { claimChecks } from '../runtime/claim-check.js';
import { openLocalBlobs } from '../storage/blob/index.js';
import { openTable, parquetEncoder, type Table } from '../storage/delta/index.js';
import type { Transport } from '../transport/transport.js';
import { meteredProduce, meteredTable } from './metered.js';
import { prepareTopics, topicSpec } from './open-log.js';
import { hostFor, type PipelineOptions, type Wiring } from './xact-hosts.js';
import { type WorkerHost } from './worker-host.js';

export const WORKER_NAMES = Object.keys(WORKERS) as readonly XactWorker[];

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
  /** Drains every worker. What is stuck when the time is over is named, and released; the transport is closed then. */
  drain(timeoutMs: number): Promise<readonly string[]>;
  report(): Promise<RunReport>;
  /** Deletes what tables no longer need; for once a day. */
  tidy(): Promise<void>;
  /** Closes what was opened; the transport stays open. */
  close(): Promise<void>;
}

/** Opens everything that the chosen XACT workers need, and wires them. Nothing flows before `start`. */
export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { config, data, transport, chains, log, metrics } = options;
  const startedAt = performance.now();
  const domain = config.perDomain[XACT]!;
  const topics = allTopics(domain.retryDelaysMs).map((name) => topicSpec(config, XACT, name, kindOfTopic(name)));
  await prepareTopics(transport, config, topics);
  const opened: { close(): Promise<void> }[] = [];
  const vacuums: (() => Promise<unknown>)[] = [];
  const tables = await openTables(options, opened, vacuums);
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
      // What has left and cannot be written counts as released, so that all that entered is accounted for.
      await transport.close();
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
    async tidy() {
      for (const vacuum of vacuums) await vacuum();
    },
    async close() {
      for (const resource of opened.reverse()) await resource.close();
    },
  };
}

/** What a topic of the domain is for. */
export function kindOfTopic(topic: string): 'work' | 'retry' | 'deadLetter' {
  if (topic === topicName('xact.dlq')) return 'deadLetter';
  return ofRetryTopic(topic) === undefined ? 'work' : 'retry';
}

async function openTables(
  { config, data, transport, workers, metrics, log }: PipelineOptions,
  opened: { close(): Promise<void> }[],
  vacuums: (() => Promise<unknown>)[],
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
    const isNew = !existsSync(directory);
    const table = await openTable({
      directory,
      schema,
      encoder,
      checkpointEvery: config.tables.checkpointEvery,
      onUpkeepFailed: (error) => log.warn('a table could not be tidied up', { table: schema.name, error: String(error) }),
    });
    if (isNew) await tellOfRowsBefore(schema.name, transport, log);
    vacuums.push(() => table.vacuum());
    opened.push(table);
    tables[schema.name] = meteredTable(table, metrics);
  }
  return tables;
}

/** A table that is new while the log is not has lost the rows that were written before, and nothing will write them again by itself. */
async function tellOfRowsBefore(table: string, transport: Transport, log: Logger): Promise<void> {
  const [worker, topic] =
    table === XACT_EVENTS.name
      ? (['xact-delta-events', 'xact.events'] as const)
      : (['xact-result-processor', 'xact.downloads_results'] as const);
  const offsets = await transport.committed(worker, topicName(topic));
  const passed = offsets.reduce((sum, { offset }) => sum + Math.max(0, offset), 0);
  if (passed === 0) return;
  log.error('the table is new, but the log is not: rows of what was read before are not in it', {
    table,
    worker,
    deliveries_before: passed,
    help: 'put the table back, or ingest the events again',
  });
}

async function identitiesOf(transport: Transport): Promise<ReadonlyMap<string, string>> {
  const identities = new Map<string, string>();
  for (const topic of [topicName('xact.events'), topicName('xact.downloads_results')])
    identities.set(topic, await transport.identity(topic));
  return identities;
}

async function countFiles(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}
