import { randomUUID } from 'node:crypto';
import type { Kafka } from 'kafkajs';
import { asyncScheduler } from 'rxjs';
import { PenstockError } from '../../diagnostics/index.js';
import { Committer } from '../committer.js';
import { GroupConsumer } from '../group-consumer.js';
import { partitionOf } from '../partitioner.js';
import { prepare, type Prepared } from '../prepared.js';
import { unsettledOf } from '../ledger.js';
import { nameOf } from '../balance.js';
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
} from '../transport.js';
import { createClient, Seeds } from './client.js';
import { compressionType } from './compression.js';
import type { GroupView } from './group-view.js';
import { MarkTopics } from './mark-topics.js';
import { KafkaMember } from './member.js';
import { BatchingProducer } from './producer.js';
import { BEYOND_BYTES } from './progress-text.js';
import { RawCluster } from './raw-cluster.js';
import { type Placed, wireSize } from './record.js';
import type { KafkaSettings } from './settings.js';
import { TopicDirectory } from './topic-directory.js';
import { within } from './within.js';

const DEFAULT_MAX_BYTES = 1_048_588;
/** How long `close` waits for what is settled to be durable, and for members to leave, in milliseconds. */
const CLOSE_MS = 10_000;
/** Partitions of one consumer whose records are on their way at once. */
const MOST_WRITES = 64;
/** What a batch adds to its only record. */
const BATCH_FRAME = 80;

/** The transport over Apache Kafka. */
export class KafkaTransport implements Transport {
  readonly name = 'kafka';
  readonly capabilities: Capabilities = { atomicCommit: false, durable: true, shared: true };
  private readonly kafka: Kafka;
  private readonly raw: RawCluster;
  private readonly directory: TopicDirectory;
  private readonly producer: BatchingProducer;
  private readonly markTopics: MarkTopics;
  private readonly consumers = new Map<GroupConsumer, Committer>();
  /** Members that were made in this turn of the event loop, by group and where they begin. */
  private readonly young = new Map<string, KafkaMember>();
  private readonly departures: (() => void)[] = [];
  private readonly turns = new Map<string, number>();
  private closing: Promise<void> | undefined;

  constructor(private readonly settings: KafkaSettings) {
    const seeds = new Seeds(settings.brokers);
    this.kafka = createClient(settings, seeds);
    const client = () => this.kafka;
    this.raw = new RawCluster(client, settings);
    this.directory = new TopicDirectory(client, this.raw, settings, seeds);
    this.producer = new BatchingProducer({
      client,
      settings,
      compression: compressionType(settings.compression),
      maxBytes: (topic) => this.directory.known(topic)?.maxBytes ?? DEFAULT_MAX_BYTES,
      missing: async (topic) => {
        this.directory.forget(topic);
        await this.partitions(topic);
      },
    });
    this.markTopics = new MarkTopics({ directory: this.directory, raw: this.raw, retentionMs: settings.markRetentionMs });
  }

  /** Asks the brokers who they are, each for so long: credentials and certificates are checked, and connections are there when they are needed. */
  greet(brokers: number, timeoutMs: number): Promise<boolean> {
    return this.directory.greet(brokers, timeoutMs);
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    for (const { name, partitions } of topics) {
      if (!Number.isInteger(partitions) || partitions < 1 || partitions > 1024) {
        throw new PenstockError('PS1105', `topic ${name} has 1 to 1024 partitions, got ${partitions}`, { category: 'permanent' });
      }
      prepare({ topic: name, key: null, value: null }, 0);
    }
    await this.directory.ensure(topics);
    for (const { name } of topics) await this.directory.of(name);
  }

  topics(): Promise<readonly (TopicSpec & { readonly offsets: readonly PartitionOffsets[] })[]> {
    return this.directory.all();
  }

  identity(topic: string): Promise<string> {
    return this.directory.identity(topic);
  }

  async produce(records: readonly NewRecord[]): Promise<readonly Position[]> {
    if (this.closing !== undefined) throw closed();
    const now = Date.now();
    const prepared = records.map((record) => prepare(record, now));
    const placed = await this.place(prepared);
    for (const record of placed) {
      const refusal = this.refusal(record);
      if (refusal !== undefined) throw refusal;
    }
    return this.send(placed);
  }

  consume(consume: ConsumeOptions): Consumer {
    if (this.closing !== undefined) throw closed();
    const { settings } = this;
    const clock = asyncScheduler;
    const onWarning = (error: Error) => settings.onWarning(error);
    const store = this.viewOf(consume);
    const poke: { by?: () => void } = {};
    const committer = new Committer({
      store,
      clock,
      retryMs: settings.retryMs,
      mostWrites: MOST_WRITES,
      onFault: () => poke.by?.(),
      onWarning,
    });
    const consumer = new GroupConsumer({
      store,
      clock,
      releaseMs: settings.releaseMs,
      handoverMs: 0,
      progressBytes: BEYOND_BYTES,
      keepReleased: true,
      consume,
      committer,
      member: randomUUID(),
      onEnd: (ended) => {
        this.consumers.delete(ended);
        if (this.consumers.size === 0) for (const resolve of this.departures.splice(0)) resolve();
      },
      onWarning,
    });
    poke.by = () => consumer.poke();
    this.consumers.set(consumer, committer);
    return consumer;
  }

  /** Consumers of one group that are made together and read different topics are one member of it. */
  private viewOf({ group, topics, from = 'earliest', credits }: ConsumeOptions): GroupView {
    const name = `${group}\0${from}`;
    const view = this.young.get(name)?.view(topics, credits.bytes);
    if (view !== undefined) return view;
    const member = new KafkaMember({
      client: () => this.kafka,
      settings: this.settings,
      directory: this.directory,
      producer: { send: (records, onEach) => this.send(records, onEach) },
      marks: this.markTopics,
      group,
      from,
      place: (records) => this.place(records),
      refusal: (record) => this.refusal(record),
    });
    this.young.set(name, member);
    setImmediate(() => {
      if (this.young.get(name) === member) this.young.delete(name);
    });
    return member.view(topics, credits.bytes)!;
  }

  async *read(topic: string, partition: number, from = 0): AsyncIterable<LogRecord> {
    const bounds = (await this.directory.offsets(topic))[partition];
    if (bounds === undefined) throw new PenstockError('PS3001', `topic ${topic} has no partition ${partition}`, { category: 'permanent' });
    yield* this.raw.read(topic, partition, Math.max(from, bounds.start), bounds.end);
  }

  offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    return this.directory.offsets(topic);
  }

  async committed(group: string, topic: string): Promise<readonly { readonly partition: number; readonly offset: number }[]> {
    const [bounds, progress] = await Promise.all([this.directory.offsets(topic), this.directory.progress(group, [topic])]);
    return bounds.map(({ partition }) => ({ partition, offset: progress.get(nameOf({ topic, partition }))?.offset ?? -1 }));
  }

  async backlog(group: string, topics: readonly string[]): Promise<number> {
    const [progress, topicBounds] = await Promise.all([this.directory.progress(group, topics), this.directory.offsetsOf(topics)]);
    let open = 0;
    for (const [topic, offsets] of topicBounds) {
      for (const bounds of offsets) open += unsettledOf(progress.get(nameOf({ topic, partition: bounds.partition })), bounds);
    }
    return open;
  }

  marks(store: string, { capacity }: { readonly capacity: number }): Marks {
    return this.markTopics.open(store, capacity);
  }

  enforceRetention(now: number): Promise<number> {
    return this.directory.enforceRetention(now);
  }

  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  private async closeNow(): Promise<void> {
    const open = [...this.consumers];
    if (open.length > 0) {
      const gone = new Promise<void>((resolve) => this.departures.push(resolve));
      for (const [consumer, committer] of open) {
        committer.end();
        consumer.stop('the log closes');
      }
      const idle = gone.then(() => Promise.all(open.map(([, committer]) => committer.idle())));
      if (!(await within(idle, CLOSE_MS))) {
        this.settings.onWarning(new PenstockError('PS3001', `the brokers did not take what was settled within ${CLOSE_MS} ms`));
        for (const [, committer] of open) committer.abandon();
        await within(idle, CLOSE_MS);
      }
    }
    await this.producer.close();
    await this.directory.close();
    await this.raw.close();
  }

  private async send(records: readonly Placed[], onEach?: (index: number) => void): Promise<readonly Position[]> {
    try {
      return await this.producer.send(records, onEach);
    } catch (error) {
      // The topic takes less than it did: what fits is sent in smaller batches next time.
      if (error instanceof PenstockError && error.code === 'PS4101') for (const { topic } of records) this.directory.forget(topic);
      throw error;
    }
  }

  /** Gives each record its partition. Rejects when a topic is not there and may not be made. */
  private async place(records: readonly Prepared[]): Promise<readonly Placed[]> {
    for (const topic of new Set(records.map((record) => record.topic))) await this.partitions(topic);
    return records.map((record) => {
      const { partitions } = this.directory.known(record.topic)!;
      return { ...record, partition: record.partition ?? this.choose(record.topic, record.key, partitions) };
    });
  }

  private choose(topic: string, key: Buffer | null, partitions: number): number {
    if (key !== null) return partitionOf(key, partitions);
    const turn = this.turns.get(topic) ?? 0;
    this.turns.set(topic, (turn + 1) % partitions);
    return turn % partitions;
  }

  private async partitions(topic: string): Promise<void> {
    if ((await this.directory.of(topic)) !== undefined) return;
    if (!this.settings.createTopics) {
      throw new PenstockError('PS3008', `there is no topic ${topic}, and none is made here`, { category: 'permanent' });
    }
    await this.directory.ensure([{ name: topic, partitions: -1 }]);
    await this.directory.of(topic);
  }

  private refusal(record: Prepared): Error | undefined {
    const { topic, partition } = record;
    const known = this.directory.known(topic);
    if (partition !== undefined && known !== undefined && partition >= known.partitions) {
      return refused(`topic ${topic} has ${known.partitions} partitions, a record asks for ${partition}`);
    }
    const most = (known?.maxBytes ?? DEFAULT_MAX_BYTES) - BATCH_FRAME;
    const size = wireSize(record);
    return size > most ? refused(`topic ${topic} takes records of up to ${most} bytes, one has ${size}`) : undefined;
  }
}

function refused(message: string): PenstockError {
  return new PenstockError('PS4101', message, { category: 'permanent' });
}

function closed(): PenstockError {
  return new PenstockError('PS3001', 'the log is closed', { category: 'transient' });
}
