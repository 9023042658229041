import { randomUUID } from 'node:crypto';
import type { SchedulerLike, Subscription } from 'rxjs';
import { PenstockError } from '../diagnostics/index.js';
import { Committer, type CommitJob } from './committer.js';
import { GroupConsumer } from './group-consumer.js';
import type { LogStore } from './log-store.js';
import { prepare } from './prepared.js';
import { unsettledOf } from './ledger.js';
import type {
  Capabilities,
  ConsumeOptions,
  Consumer,
  LogRecord,
  Marks,
  NewRecord,
  PartitionOffsets,
  Position,
  TopicSpec,
  Transport,
} from './transport.js';

export interface StoreTransportOptions {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly store: LogStore;
  readonly clock: SchedulerLike;
  /** How long a released record waits before it is handed out again, in milliseconds. */
  readonly releaseMs: number;
  /** How long a partition that goes to another member may finish what is out, in milliseconds. */
  readonly handoverMs: number;
  /** Pause between two tries of a write that the log does not take, in milliseconds. */
  readonly retryMs: number;
  /** How long closing may take before what is not written counts as released, in milliseconds. Defaults to 5000. */
  readonly closeMs?: number;
  /** Names a new member, uniquely among all members of all processes. Defaults to a random name. */
  nameMember?(): string;
  onWarning(error: Error): void;
}

const CLOSE_MS = 5000;

/** The transport over a `LogStore`: memory and the embedded log differ in nothing but the store. */
export class StoreTransport implements Transport {
  readonly name: string;
  readonly capabilities: Capabilities;
  private readonly store: LogStore;
  private readonly committer: Committer;
  private readonly consumers = new Set<GroupConsumer>();
  private readonly departures: (() => void)[] = [];
  private closing: Promise<void> | undefined;

  constructor(private readonly options: StoreTransportOptions) {
    this.name = options.name;
    this.capabilities = options.capabilities;
    this.store = options.store;
    const { store, clock, retryMs } = options;
    this.committer = new Committer({
      store,
      clock,
      retryMs,
      onFault: () => {
        for (const consumer of this.consumers) consumer.poke();
      },
      onWarning: (error) => options.onWarning(error),
    });
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    for (const { name, partitions } of topics) {
      if (!Number.isInteger(partitions) || partitions < 1 || partitions > 1024) {
        throw new PenstockError('PS1105', `topic ${name} has 1 to 1024 partitions, got ${partitions}`, { category: 'permanent' });
      }
      prepare({ topic: name, key: null, value: null }, 0);
    }
    await this.store.ensureTopics(topics);
  }

  topics(): Promise<readonly (TopicSpec & { readonly offsets: readonly PartitionOffsets[] })[]> {
    return Promise.resolve(this.store.topics().map((spec) => ({ ...spec, offsets: this.boundsOf(spec.name) })));
  }

  identity(topic: string): Promise<string> {
    return settled(() => {
      this.boundsOf(topic);
      return this.store.identity(topic);
    });
  }

  produce(records: readonly NewRecord[]): Promise<readonly Position[]> {
    if (records.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      if (this.closing !== undefined) throw closed();
      const now = this.options.clock.now();
      const prepared = records.map((record) => prepare(record, now));
      for (const record of prepared) {
        const refusal = this.store.refusal(record);
        if (refusal !== undefined) throw refusal;
      }
      const job: CommitJob = {
        unit: () => ({ lease: undefined, progress: undefined, records: prepared, marks: [] }),
        done: (result) => (result.kind === 'written' ? resolve(result.positions) : reject(closed())),
        failed: (error) => {
          reject(error);
          return false;
        },
      };
      this.committer.add(job);
    });
  }

  consume(consume: ConsumeOptions): Consumer {
    if (this.closing !== undefined) throw closed();
    const { store, clock, releaseMs, handoverMs } = this.options;
    const consumer = new GroupConsumer({
      store,
      clock,
      releaseMs,
      handoverMs,
      consume,
      committer: this.committer,
      member: this.options.nameMember?.() ?? randomUUID(),
      onEnd: (ended) => {
        this.consumers.delete(ended);
        if (this.consumers.size === 0) for (const resolve of this.departures.splice(0)) resolve();
      },
      onWarning: (error) => this.options.onWarning(error),
    });
    this.consumers.add(consumer);
    return consumer;
  }

  async *read(topic: string, partition: number, from = 0): AsyncIterable<LogRecord> {
    const bounds = this.boundsOf(topic)[partition];
    if (bounds === undefined) throw new PenstockError('PS3001', `topic ${topic} has no partition ${partition}`, { category: 'permanent' });
    let next = from;
    while (next < bounds.end) {
      const records = this.store.read(topic, partition, next);
      if (records.length === 0) return;
      for (const record of records) {
        if (record.offset >= bounds.end) return;
        yield record;
        next = record.offset + 1;
      }
    }
  }

  offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    return settled(() => this.boundsOf(topic));
  }

  committed(group: string, topic: string): Promise<readonly { readonly partition: number; readonly offset: number }[]> {
    return settled(() =>
      this.boundsOf(topic).map(({ partition }) => ({ partition, offset: this.store.progress(group, topic, partition)?.offset ?? -1 })),
    );
  }

  backlog(group: string, topics: readonly string[]): Promise<number> {
    return settled(() => {
      let open = 0;
      for (const topic of topics) {
        for (const bounds of this.boundsOf(topic)) open += unsettledOf(this.store.progress(group, topic, bounds.partition), bounds);
      }
      return open;
    });
  }

  marks(store: string, { capacity }: { readonly capacity: number }): Marks {
    return this.store.marks(store, capacity);
  }

  enforceRetention(now: number): Promise<number> {
    return this.store.enforceRetention(now);
  }

  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  private async closeNow(): Promise<void> {
    const { clock, closeMs = CLOSE_MS, store, onWarning } = this.options;
    let timer: Subscription | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = clock.schedule(() => resolve('late'), closeMs);
    });
    const ended = await Promise.race([this.closeWhole(), late]);
    timer?.unsubscribe();
    if (ended !== 'late') return;
    onWarning(store.obstacle?.() ?? new PenstockError('PS3001', `the log was not closed within ${closeMs} ms`, { category: 'transient' }));
    this.committer.abandon();
  }

  private async closeWhole(): Promise<void> {
    this.committer.end();
    if (this.consumers.size > 0) {
      const gone = new Promise<void>((resolve) => this.departures.push(resolve));
      for (const consumer of this.consumers) consumer.stop('the log closes');
      await gone;
    }
    await this.committer.idle();
    await this.store.close();
  }

  private boundsOf(topic: string): readonly PartitionOffsets[] {
    const bounds = this.store.bounds(topic);
    if (bounds === undefined) throw new PenstockError('PS3001', `there is no topic ${topic} in the log`, { category: 'permanent' });
    return bounds;
  }
}

function closed(): PenstockError {
  return new PenstockError('PS3001', 'the log is closed', { category: 'transient' });
}

/** A synchronous answer as a promise; what it throws, the promise rejects with. */
function settled<T>(answer: () => T): Promise<T> {
  return new Promise((resolve) => resolve(answer()));
}
