import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Observable, Subscription } from 'rxjs';
import type { Outcome } from '../../operators/index.js';
import type { XactWorkerOptions } from '../../src/domains/xact/workers/shell.js';
import { STAGE_SCHEMAS, XACT_STAGES } from '../../src/domains/xact/stages.js';
import { allTopics, consumedTopics, topicName, XACT, type XactWorker } from '../../src/domains/xact/topics.js';
import { assemble, type Catalogue, type ChainLine, type PlannedAction, type PluginEntry } from '../../src/plugin/index.js';
import { type ClaimChecks, claimChecks } from '../../src/runtime/claim-check.js';
import { deadLetter, type DeadLetter } from '../../src/runtime/dead-letter.js';
import type { Failing } from '../../src/runtime/failure-route.js';
import { textHeaders } from '../../src/runtime/item.js';
import { pluginActions } from '../../src/runtime/plugin-actions.js';
import { carrySink } from '../../src/runtime/sink.js';
import { chainsOf } from '../../src/runtime/stage.js';
import type { Settled } from '../../src/runtime/worker.js';
import { type BlobStore, openLocalBlobs } from '../../src/storage/blob/index.js';
import { memoryTransport } from '../../src/transport/memory/index.js';
import type { Consumer, LogRecord, NewRecord, Transport } from '../../src/transport/transport.js';
import { until } from '../transport/collector.js';

/** The delays of every worker here, in milliseconds. */
export const DELAYS = [20, 30] as const;

export interface Found {
  readonly record: LogRecord;
  readonly headers: Readonly<Record<string, string>>;
  readonly message: never;
}

/** A worker of a bench, and how its deliveries left. */
export interface Started {
  readonly name: XactWorker;
  readonly consumer: Consumer;
  readonly settled: readonly Settled[];
  readonly decisions: readonly Failing[];
  /** What the stream ended by; undefined while it runs. */
  readonly ended: 'completed' | { readonly error: unknown } | undefined;
  doors(): Partial<Record<Outcome, number>>;
  /** Resolves when everything in flight has left. */
  drain(): Promise<void>;
  unsubscribe(): void;
}

export type Build = (shared: XactWorkerOptions & { readonly signal: AbortSignal }) => Observable<Settled>;

/** What a test says of a plugin; the rest of its entry stands for itself. */
export type EntryOf = Pick<PluginEntry, 'name'> & Partial<PluginEntry>;

export interface BenchOptions {
  readonly plugins?: readonly EntryOf[];
  readonly catalogue?: Catalogue;
  /** Asked before each write of the log. */
  readonly fault?: () => Error | undefined;
  readonly maxRecordBytes?: number;
}

const open = new Set<WorkerBench>();

afterEach(async () => {
  for (const bench of open) await bench.close();
  open.clear();
});

/** A log in memory, folders of its own, and workers with all that a run gives them. Closed after the test. */
export async function workerBench(options: BenchOptions = {}): Promise<WorkerBench> {
  const bench = await WorkerBench.open(options);
  open.add(bench);
  return bench;
}

export class WorkerBench {
  readonly lines: ChainLine[] = [];
  readonly actions: (readonly [planned: PlannedAction, result: string])[] = [];
  readonly stops: (readonly [plugin: string, error: unknown])[] = [];
  private readonly started: Started[] = [];

  private constructor(
    readonly transport: Transport,
    readonly directory: string,
    readonly blobs: BlobStore,
    readonly claimed: BlobStore,
    readonly claims: ClaimChecks,
    private readonly set: ReturnType<typeof assemble>['set'],
    told: Pick<WorkerBench, 'lines' | 'stops'>,
  ) {
    this.lines = told.lines;
    this.stops = told.stops;
  }

  static async open({ plugins = [], catalogue = {}, fault, maxRecordBytes }: BenchOptions): Promise<WorkerBench> {
    const told: Pick<WorkerBench, 'lines' | 'stops'> = { lines: [], stops: [] };
    const { set, diagnostics } = assemble({
      domain: XACT,
      entries: plugins.map(entryOf),
      catalogue,
      stages: XACT_STAGES.map((name) => ({ name, message: STAGE_SCHEMAS[name] })),
      log: (line) => told.lines.push(line),
      onStop: (plugin, error) => told.stops.push([plugin, error]),
    });
    const [wrong] = diagnostics.filter(({ severity }) => severity === 'error');
    if (wrong !== undefined) throw new Error(`${wrong.code} ${wrong.message}`);
    await set.load();
    const directory = await mkdtemp(join(tmpdir(), 'penstock-workers-'));
    const transport = memoryTransport({ releaseMs: 5, retryMs: 5, ...(fault === undefined ? {} : { fault }) });
    await transport.ensureTopics(allTopics(DELAYS).map((name) => ({ name, partitions: 1 })));
    const claimed = await openLocalBlobs({ directory: join(directory, 'claims') });
    return new WorkerBench(
      transport,
      directory,
      await openLocalBlobs({ directory: join(directory, 'files') }),
      claimed,
      claimChecks({ blobs: claimed, ...(maxRecordBytes === undefined ? {} : { maxBytes: maxRecordBytes }) }),
      set,
      told,
    );
  }

  get cache(): string {
    return join(this.directory, 'cache');
  }

  counts(): ReturnType<typeof this.set.counts> {
    return this.set.counts();
  }

  /** Writes messages to a topic of the domain; what is no object goes as it is. */
  async send(topic: Parameters<typeof topicName>[0], ...messages: readonly (object | string | Buffer)[]): Promise<void> {
    await this.sendWith(topic, {}, ...messages);
  }

  async sendWith(
    topic: Parameters<typeof topicName>[0],
    headers: NonNullable<NewRecord['headers']>,
    ...messages: readonly (object | string | Buffer)[]
  ): Promise<void> {
    await this.transport.produce(
      messages.map((message) => ({
        topic: topicName(topic),
        key: typeof message === 'object' && 'trace_id' in message ? String(message.trace_id) : null,
        value: typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message),
        headers,
      })),
    );
  }

  start(name: XactWorker, build: Build): Started {
    const draining = new AbortController();
    const consumer = this.transport.consume({
      topics: consumedTopics(name, DELAYS),
      group: name,
      credits: { count: 100, bytes: 64 * 1024 * 1024 },
    });
    const performed = pluginActions({
      domain: XACT,
      worker: name,
      produce: (records) => this.transport.produce(records),
      outboxTopic: topicName('xact.actions_outbox'),
      deadLetterTopic: topicName('xact.dlq'),
      claims: this.claims,
      retry: { attempts: 3, base: 1, cap: 2 },
      policyOf: (plugin) => this.set.policyOf(plugin),
      log: () => undefined,
      metric: () => undefined,
      onAction: (planned, result) => this.actions.push([planned, result]),
    });
    const settled: Settled[] = [];
    const decisions: Failing[] = [];
    let ended: Started['ended'];
    const settled$ = build({
      source: consumer.deliveries$,
      signal: draining.signal,
      chains: chainsOf(this.set, XACT_STAGES),
      perform: performed.perform,
      sink: carrySink,
      claims: this.claims,
      retryDelaysMs: DELAYS,
      doneActions: performed.done,
      onDecision: (failing) => decisions.push(failing),
    });
    const subscription: Subscription = settled$.subscribe({
      next: (one) => settled.push(one),
      error: (error: unknown) => {
        ended = { error };
      },
      complete: () => {
        ended = 'completed';
      },
    });
    const started: Started = {
      name,
      consumer,
      settled,
      decisions,
      get ended() {
        return ended;
      },
      doors: () => {
        const doors: Partial<Record<Outcome, number>> = {};
        for (const { outcome } of settled) doors[outcome] = (doors[outcome] ?? 0) + 1;
        return doors;
      },
      drain: async () => {
        draining.abort();
        await Promise.all([consumer.drain(), until(`${name} to drain`, () => ended !== undefined)]);
      },
      unsubscribe: () => subscription.unsubscribe(),
    };
    this.started.push(started);
    return started;
  }

  /** Waits until every worker has read its topics to their ends and nothing is in flight. */
  async idle(): Promise<void> {
    await until('all workers to be idle', async () => {
      for (const { name, consumer } of this.started) {
        if (consumer.state().inFlight > 0 || (await this.transport.backlog(name, consumedTopics(name, DELAYS))) > 0) return false;
      }
      return true;
    });
  }

  async records(topic: string): Promise<readonly LogRecord[]> {
    const records: LogRecord[] = [];
    for (const { partition } of await this.transport.offsets(topic)) {
      for await (const record of this.transport.read(topic, partition)) records.push(record);
    }
    return records;
  }

  /** What lies in a topic of the domain. */
  async read<M = Record<string, unknown>>(
    topic: Parameters<typeof topicName>[0],
  ): Promise<readonly { readonly message: M; readonly headers: Readonly<Record<string, string>>; readonly key: string | undefined }[]> {
    return (await this.records(topicName(topic))).map((record) => ({
      message: JSON.parse(record.value?.toString('utf8') ?? 'null') as M,
      headers: textHeaders(record),
      key: record.key?.toString('utf8'),
    }));
  }

  async deadLetters(): Promise<readonly DeadLetter[]> {
    return (await this.read('xact.dlq')).map(({ message }) => deadLetter.parse(message));
  }

  async close(): Promise<void> {
    for (const { unsubscribe } of this.started) unsubscribe();
    await this.set.unload();
    await this.transport.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

function entryOf(entry: EntryOf): PluginEntry {
  return { type: entry.name, scope: 'domain', enabled: true, config: {}, at: () => undefined, ...entry };
}
