import type { Broker, Cluster, Kafka, KafkaMessage } from 'kafkajs';
import kafkajs from 'kafkajs';
import { PenstockError } from '../../diagnostics/index.js';
import { nameOf } from '../balance.js';
import type { LogRecord, PartitionOffsets } from '../transport.js';
import { recordOf } from './record.js';
import { toPenstock } from './failure.js';
import type { KafkaSettings } from './settings.js';
import { answered } from './within.js';
import { topicIdIn, topicIdRequest } from './topic-id.js';

const { PartitionAssigners } = kafkajs;

/** What the client's own types leave out. */
interface WireBroker extends Broker {
  findGroupCoordinator(asked: { readonly groupId: string; readonly coordinatorType: number }): Promise<unknown>;
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null;
  readonly connectionPool: { send(exchange: unknown): Promise<unknown> };
}

interface FetchedPartition {
  readonly partition: number;
  readonly highWatermark: string;
  readonly lastStableOffset?: string;
  readonly messages: readonly (KafkaMessage & { readonly isControlRecord?: boolean })[];
}

/** The longest that brokers may take for an answer, in milliseconds. */
const ANSWER_MS = 10_000;
const READ_BYTES = 1024 * 1024;
const METADATA = 3;
const TOPIC_IDS_SINCE = 10;
const TOPIC_AUTHORIZATION_FAILED = 29;

/**
 * Reads without a group and asks what the client has no call for. It stands on the view of the cluster that the client hands to partition assigners;
 * the consumer that this takes never joins a group.
 */
export class RawCluster {
  private cluster: Cluster | undefined;
  private opening: Promise<Cluster> | undefined;

  constructor(
    private readonly client: () => Kafka,
    private readonly settings: KafkaSettings,
  ) {}

  /** Records from an offset on, until `end`; from the first that is still there when that one is gone. */
  async *read(topic: string, partition: number, from: number, end: number): AsyncGenerator<LogRecord> {
    let next = from;
    while (next < end) {
      const { messages, after } = await this.fetch(topic, partition, next);
      for (const message of messages) {
        const offset = Number(message.offset);
        if (offset >= end) return;
        if (offset >= next && message.isControlRecord !== true) yield recordOf(topic, partition, message);
      }
      // Compaction leaves batches without records behind: what lies there is passed over one offset at a time.
      next = Math.max(after, next + 1);
    }
  }

  /** First and next offsets of every partition of the topics, given how many each has. */
  async offsets(topics: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, readonly PartitionOffsets[]>> {
    const cluster = await this.open();
    await cluster.addMultipleTargetTopics([...topics.keys()]);
    for (const [topic, partitions] of topics) {
      if (cluster.findTopicPartitionMetadata(topic).length < partitions) await cluster.refreshMetadata();
    }
    const asked = [...topics].map(([topic, count]) => ({
      topic,
      partitions: Array.from({ length: count }, (_, partition) => ({ partition })),
    }));
    try {
      const [ends, starts] = await Promise.all([askFor(cluster, asked, false), askFor(cluster, asked, true)]);
      return new Map(
        asked.map(({ topic, partitions }) => [
          topic,
          partitions.map(({ partition }) => ({ partition, start: starts(topic, partition), end: ends(topic, partition) })),
        ]),
      );
    } catch (error) {
      // Leaders may have moved.
      await this.close();
      throw error;
    }
  }

  /**
   * The identity that the brokers gave the topic when it was made; undefined where they have none, or no such topic. Rejects with PS3007 when it may not
   * be seen, which a list of topics does not tell from one that is not there.
   */
  async topicId(topic: string): Promise<string | undefined> {
    const broker = await this.controller();
    if ((broker.versions?.[METADATA]?.maxVersion ?? 0) < TOPIC_IDS_SINCE) return undefined;
    const { errorCode, id } = topicIdIn((await broker.connectionPool.send(topicIdRequest(topic))) as Buffer);
    if (errorCode === TOPIC_AUTHORIZATION_FAILED) throw notAllowed(`topic ${topic} may not be seen`);
    return id;
  }

  /** Asks who coordinates a group; rejects with the reason of the broker that was asked, which the client keeps to itself. */
  async coordinator(groupId: string): Promise<void> {
    const broker = await this.controller();
    await broker.findGroupCoordinator({ groupId, coordinatorType: 0 });
  }

  /** The next call makes new connections. */
  close(): Promise<void> {
    const cluster = this.cluster;
    this.cluster = undefined;
    this.opening = undefined;
    // Nobody waits for it: it may take for ever.
    cluster?.disconnect().catch(() => undefined);
    return Promise.resolve();
  }

  private async fetch(topic: string, partition: number, offset: number) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await answered(this.fetchOnce(topic, partition, offset), ANSWER_MS);
      } catch (error) {
        if (attempt === 8) throw toPenstock(error, `${topic}/${partition} cannot be read`);
        // A leader has moved, or a broker has gone: what is known of them is old.
        await this.close();
        await new Promise((resolve) => setTimeout(resolve, Math.min(2000, 50 * 2 ** attempt)));
      }
    }
  }

  private async fetchOnce(topic: string, partition: number, offset: number) {
    const cluster = await this.open();
    await cluster.addMultipleTargetTopics([topic]);
    const leader = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0];
    if (leader === undefined) throw new PenstockError('PS3001', `${topic}/${partition} has no leader`, { category: 'transient' });
    const broker = await cluster.findBroker({ nodeId: leader });
    const { responses } = (await broker.fetch({
      maxWaitTime: 100,
      minBytes: 1,
      maxBytes: READ_BYTES,
      isolationLevel: 1,
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: READ_BYTES }] }],
    })) as { readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[] };
    const messages = responses[0]?.partitions[0]?.messages ?? [];
    const last = messages.at(-1);
    return { messages, after: last === undefined ? offset : Number(last.offset) + 1 };
  }

  private async controller(): Promise<WireBroker> {
    const cluster = await this.open();
    await cluster.addMultipleTargetTopics([]); // else the client does not know of any broker
    const broker = (await cluster.findControllerBroker()) as WireBroker;
    if (!broker.isConnected()) await broker.connect();
    return broker;
  }

  private open(): Promise<Cluster> {
    this.opening ??= this.openOnce().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  private async openOnce(): Promise<Cluster> {
    const consumer = this.client().consumer({
      groupId: 'penstock-reader',
      allowAutoTopicCreation: false,
      metadataMaxAge: this.settings.metadataMaxAgeMs,
      partitionAssigners: [
        (config) => {
          this.cluster = config.cluster;
          return PartitionAssigners.roundRobin(config);
        },
      ],
    });
    await consumer.connect();
    return this.cluster!;
  }
}

function notAllowed(message: string): PenstockError {
  return new PenstockError('PS3007', message, { category: 'auth', help: 'ask for the right in the access control lists of the brokers' });
}

async function askFor(
  cluster: Cluster,
  topics: readonly { readonly topic: string; readonly partitions: { partition: number }[] }[],
  fromBeginning: boolean,
): Promise<(topic: string, partition: number) => number> {
  const answers = await cluster.fetchTopicsOffset(topics.map((each) => ({ ...each, fromBeginning })));
  const found = new Map(
    answers.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }): [string, number] => [nameOf({ topic, partition }), Number(offset)]),
    ),
  );
  return (topic, partition) => {
    const offset = found.get(nameOf({ topic, partition }));
    if (offset === undefined) throw new PenstockError('PS3001', `${topic}/${partition} has no leader`, { category: 'transient' });
    return offset;
  };
}
