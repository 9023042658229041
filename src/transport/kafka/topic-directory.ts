import type { Admin, Kafka } from 'kafkajs';
import kafkajs from 'kafkajs';
import { PenstockError } from '../../diagnostics/index.js';
import type { Progress } from '../ledger.js';
import type { PartitionName } from '../log-store.js';
import { nameOf } from '../balance.js';
import type { PartitionOffsets, TopicSpec } from '../transport.js';
import type { Seeds } from './client.js';
import { isWithoutCoordinator, protocolType, toPenstock } from './failure.js';
import { progressIn } from './progress-text.js';
import type { RawCluster } from './raw-cluster.js';
import type { KafkaSettings } from './settings.js';
import { answered, within } from './within.js';

const { ConfigResourceTypes } = kafkajs;

/** What is known of a topic. */
export interface TopicFacts {
  readonly partitions: number;
  /** The most bytes of one request to it that the brokers take. */
  readonly maxBytes: number;
  /** Milliseconds since 1970. */
  readonly asOf: number;
}

/** A topic to be made, with settings of the brokers' own. */
export interface TopicOrder extends Omit<TopicSpec, 'partitions'> {
  /** -1 for the brokers' default. */
  readonly partitions: number;
  readonly config?: Readonly<Record<string, string>>;
}

/** What brokers take in one request unless they are told otherwise. */
const DEFAULT_MAX_BYTES = 1_048_588;
const ATTEMPTS = 8;
/** The longest that brokers may take for an answer, and for a farewell, in milliseconds. */
const ANSWER_MS = 10_000;
const CLOSE_MS = 2000;
/** Errors that go away when one asks again: a topic that was made a moment ago, a leader or a coordinator that moves. */
const PASSING = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_LOAD_IN_PROGRESS',
  'REQUEST_TIMED_OUT',
]);

/** Topics and groups as the brokers know them. */
export class TopicDirectory {
  private readonly facts = new Map<string, TopicFacts>();
  private readonly retention = new Map<string, number>();
  private admin: Promise<Admin> | undefined;
  private cluster: string | undefined;

  constructor(
    private readonly client: () => Kafka,
    private readonly raw: RawCluster,
    private readonly settings: KafkaSettings,
    private readonly seeds: Seeds,
  ) {}

  /**
   * Connects, and asks for the cluster's name, of one broker after another as long as none answers within the time; says whether one has. Rejects when
   * credentials or certificates are wrong.
   */
  async greet(brokers: number, timeoutMs: number): Promise<boolean> {
    for (let attempt = 0; attempt < brokers; attempt += 1) {
      try {
        if (await within(this.greetOnce(), timeoutMs)) return true;
      } catch (error) {
        throw toPenstock(error, 'the cluster cannot be described');
      }
      await this.drop();
    }
    return false;
  }

  /** Whoever could be asked has failed: whatever is connected next begins with another broker. */
  elsewhere(): void {
    this.seeds.next();
  }

  /** What is known of a topic without asking; undefined for one that was never asked for. */
  known(topic: string): TopicFacts | undefined {
    return this.facts.get(topic);
  }

  /** Forgets what is known of a topic: it is asked for again. */
  forget(topic: string): void {
    this.facts.delete(topic);
  }

  /** Undefined for a topic that is not there. */
  async of(topic: string): Promise<TopicFacts | undefined> {
    const known = this.facts.get(topic);
    if (known !== undefined && Date.now() - known.asOf < this.settings.metadataMaxAgeMs) return known;
    const partitions = (await this.partitionsOf([topic])).get(topic);
    if (partitions === undefined) {
      this.facts.delete(topic);
      return undefined;
    }
    const maxBytes = known?.maxBytes ?? (await this.maxBytesOf(topic));
    const facts = { partitions, maxBytes, asOf: Date.now() };
    this.facts.set(topic, facts);
    return facts;
  }

  /** Those of the topics that are there, with their partitions. */
  async partitionsOf(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const there = new Set(await this.call('topics cannot be listed', (admin) => admin.listTopics()));
    const asked = topics.filter((topic) => there.has(topic));
    if (asked.length === 0) return new Map();
    const { topics: found } = await this.call('topics cannot be described', (admin) => admin.fetchTopicMetadata({ topics: asked }), true);
    return new Map(found.map(({ name, partitions }) => [name, partitions.length]));
  }

  /** Creates what is missing and grows what has too few partitions. */
  async ensure(orders: readonly TopicOrder[]): Promise<void> {
    for (const { name, retentionMs } of orders) if (retentionMs !== undefined) this.retention.set(name, retentionMs);
    const there = await this.partitionsOf(orders.map(({ name }) => name));
    const missing = orders.filter(({ name }) => !there.has(name));
    for (const order of missing) await this.create(order);
    for (const { name, partitions } of orders) {
      const now = there.get(name);
      if (now === undefined || now >= partitions) continue;
      this.facts.delete(name);
      await this.grow(name, partitions);
      await this.awaitPartitions(name, partitions);
    }
  }

  /** All topics but the brokers' own, with their retention. */
  async all(): Promise<readonly (TopicSpec & { readonly offsets: readonly PartitionOffsets[] })[]> {
    const names = (await this.call('topics cannot be listed', (admin) => admin.listTopics())).filter((name) => !name.startsWith('__'));
    const retention = await this.retentionOf(names);
    const bounds = await this.offsetsOf(names.toSorted());
    return [...bounds].map(([name, offsets]) => {
      const retentionMs = retention.get(name);
      return { name, partitions: offsets.length, offsets, ...(retentionMs === undefined ? {} : { retentionMs }) };
    });
  }

  /** Rejects with PS3001 when there is no such topic. */
  async offsets(topic: string): Promise<readonly PartitionOffsets[]> {
    return (await this.offsetsOf([topic])).get(topic)!;
  }

  /** Of several topics at once; rejects with PS3001 when one is not there. */
  async offsetsOf(topics: readonly string[]): Promise<ReadonlyMap<string, readonly PartitionOffsets[]>> {
    if (topics.length === 0) return new Map();
    const there = await this.partitionsOf(topics);
    const missing = topics.find((topic) => !there.has(topic));
    if (missing !== undefined) throw noTopic(missing);
    return this.again(`the offsets of ${topics.join(', ')} cannot be asked for`, () => this.raw.offsets(there));
  }

  /** The offset of the first record from `from` on; `end` when there is none before it. */
  async firstRecord(topic: string, partition: number, from: number, end: number): Promise<number> {
    for await (const { offset } of this.raw.read(topic, partition, from, end)) return offset;
    return end;
  }

  /** The brokers' own identity of the topic where they have one; else its name in the cluster. */
  async identity(topic: string): Promise<string> {
    if (!(await this.partitionsOf([topic])).has(topic)) throw noTopic(topic);
    this.cluster ??= (await this.call('the cluster cannot be described', (admin) => admin.describeCluster())).clusterId;
    const id = await this.again(`the identity of ${topic} cannot be asked for`, () => this.raw.topicId(topic));
    return `${this.cluster}.${id ?? topic}`;
  }

  /** The brokers' own identities of topics; undefined where they have none. Rejects with PS3007 when one may not be seen. */
  async topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string | undefined>> {
    const ids = topics.map(
      async (topic) => [topic, await this.again(`the identity of ${topic} cannot be asked for`, () => this.raw.topicId(topic))] as const,
    );
    return new Map(await Promise.all(ids));
  }

  /** Where a group stands in each partition of the topics that it has committed; by `nameOf`. */
  async progress(group: string, topics: readonly string[]): Promise<ReadonlyMap<string, Progress & PartitionName>> {
    const found = new Map<string, Progress & PartitionName>();
    if (topics.length === 0) return found;
    const doing = `the offsets of group ${group} cannot be asked for`;
    const ask = (admin: Admin) => this.coordinated(group, admin.fetchOffsets({ groupId: group, topics: [...topics] }));
    const answers = await this.call(doing, ask, true);
    for (const { topic, partitions } of answers) {
      for (const { partition, offset, metadata } of partitions) {
        const progress = progressIn(Number(offset), metadata);
        if (progress !== undefined) found.set(nameOf({ topic, partition }), { ...progress, topic, partition });
      }
    }
    return found;
  }

  /** An answer that needs the group's coordinator: when the client finds none, rejects with the brokers' own reason. */
  async coordinated<T>(group: string, answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (isWithoutCoordinator(error)) await answered(this.raw.coordinator(group), ANSWER_MS);
      throw error;
    }
  }

  /** Removes records that are past the retention of a topic that was ensured here; the brokers do the same by whole segments. */
  async enforceRetention(now: number): Promise<number> {
    let removed = 0;
    for (const [topic, retentionMs] of this.retention) {
      const bounds = await this.offsets(topic);
      const kept = await this.call(`the ages of ${topic} cannot be asked for`, (admin) =>
        admin.fetchTopicOffsetsByTimestamp(topic, now - retentionMs),
      );
      const old = bounds.flatMap(({ partition, start, end }) => {
        const first = Number(kept.find((each) => each.partition === partition)?.offset ?? start);
        const before = Math.min(first < 0 ? end : first, end);
        return before > start ? [{ partition, offset: String(before), count: before - start }] : [];
      });
      if (old.length === 0) continue;
      await this.call(`old records of ${topic} cannot be removed`, (admin) => admin.deleteTopicRecords({ topic, partitions: old }));
      removed += old.reduce((sum, { count }) => sum + count, 0);
    }
    return removed;
  }

  async close(): Promise<void> {
    const admin = this.admin;
    this.admin = undefined;
    if (admin === undefined) return;
    try {
      await within(
        admin.then((open) => open.disconnect()),
        CLOSE_MS,
      );
    } catch {
      // It never came to be, or is gone: nothing is left to close.
    }
  }

  private async greetOnce(): Promise<void> {
    this.cluster = (await (await this.open()).describeCluster()).clusterId;
  }

  private async grow(topic: string, partitions: number): Promise<void> {
    try {
      await this.call(`partitions of ${topic} cannot be added`, (admin) =>
        admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] }),
      );
    } catch (error) {
      // Another process that starts at the same time may have added them.
      const now = (await this.partitionsOf([topic])).get(topic) ?? 0;
      if (now < partitions) throw error;
    }
  }

  /** Makes one topic; somebody else may be doing the same. */
  private async create({ name, partitions, retentionMs, config = {} }: TopicOrder): Promise<void> {
    const entries = { ...(retentionMs === undefined ? {} : { 'retention.ms': String(retentionMs) }), ...config };
    const topic = {
      topic: name,
      numPartitions: partitions,
      replicationFactor: this.settings.replication ?? -1,
      configEntries: Object.entries(entries).map(([key, value]) => ({ name: key, value })),
    };
    // Leaders are waited for below: the client's own wait fails on brokers that have not heard of the topic yet.
    await this.call(`topic ${name} cannot be made`, (admin) => admin.createTopics({ topics: [topic], waitForLeaders: false }));
    await this.awaitPartitions(name, Math.max(1, partitions));
  }

  private async awaitPartitions(topic: string, count: number): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { topics } = await answered(
          this.open().then((admin) => admin.fetchTopicMetadata({ topics: [topic] })),
          ANSWER_MS,
        );
        const partitions = topics[0]?.partitions ?? [];
        if (partitions.length >= count && partitions.every(({ leader }) => leader >= 0)) return;
      } catch (error) {
        const type = protocolType(error);
        if (type === undefined || !PASSING.has(type)) await this.drop();
        if (attempt === 100) throw toPenstock(error, `topic ${topic} has no leaders`);
      }
      if (attempt === 100) throw new PenstockError('PS3001', `topic ${topic} has no leaders`, { category: 'transient' });
      await pause(50);
    }
  }

  private async maxBytesOf(topic: string): Promise<number> {
    try {
      const value = (await this.configOf([topic], ['max.message.bytes'])).get(topic)?.['max.message.bytes'];
      return value === undefined ? DEFAULT_MAX_BYTES : Number(value);
    } catch (error) {
      // Without the right to ask, the default is a good guess: the brokers refuse what is too large.
      if (error instanceof PenstockError && error.category === 'auth') return DEFAULT_MAX_BYTES;
      throw error;
    }
  }

  private async retentionOf(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>();
    for (const [topic, values] of await this.configOf(topics, ['retention.ms'])) {
      const value = Number(values['retention.ms'] ?? -1);
      if (value >= 0) found.set(topic, value);
    }
    return found;
  }

  private async configOf(
    topics: readonly string[],
    names: readonly string[],
  ): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
    if (topics.length === 0) return new Map();
    const resources = topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: [...names] }));
    const answer = await this.call(
      'settings of topics cannot be asked for',
      (admin) => admin.describeConfigs({ resources, includeSynonyms: false }),
      true,
    );
    return new Map(
      answer.resources.map(({ resourceName, configEntries }) => [
        resourceName,
        Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    );
  }

  /** Calls the admin client; connections that break are made anew, passing errors are asked again (where `patient`, also those of a topic just made). */
  private call<T>(doing: string, work: (admin: Admin) => Promise<T>, patient = false): Promise<T> {
    return this.again(doing, async () => work(await this.open()), patient);
  }

  private async again<T>(doing: string, work: () => Promise<T>, patient = true): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await answered(work(), ANSWER_MS);
      } catch (error) {
        const failure = toPenstock(error, doing);
        const type = protocolType(error);
        const passing = type === undefined || PASSING.has(type);
        if (failure.category !== 'transient' || attempt === ATTEMPTS || (!passing && !patient)) throw failure;
        if (type === undefined || type === 'UNKNOWN_TOPIC_OR_PARTITION') await this.drop();
        await pause(Math.min(1000, 25 * 2 ** attempt));
      }
    }
  }

  private open(): Promise<Admin> {
    this.admin ??= this.connect().catch((error: unknown) => {
      this.admin = undefined;
      throw error;
    });
    return this.admin;
  }

  private async connect(): Promise<Admin> {
    const admin = this.client().admin();
    await admin.connect();
    return admin;
  }

  /** The next call makes new connections: what the old ones know of topics and brokers may be wrong. */
  private async drop(): Promise<void> {
    this.elsewhere();
    // Whoever hangs there does not hold up what comes next.
    void this.close();
    await this.raw.close();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function noTopic(topic: string): PenstockError {
  return new PenstockError('PS3001', `there is no topic ${topic} in the log`, { category: 'permanent' });
}
