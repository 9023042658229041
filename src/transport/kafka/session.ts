import type { Cluster, Consumer, EachBatchPayload, Kafka, TopicOffsets } from 'kafkajs';
import kafkajs from 'kafkajs';
import { PenstockError } from '../../diagnostics/index.js';
import type { PartitionName } from '../log-store.js';
import { stickyAssigner } from './assigner.js';
import { RETRY } from './client.js';
import { toPenstock } from './failure.js';
import type { KafkaSettings } from './settings.js';
import { within } from './within.js';

export interface SessionListener {
  /** A new assignment; `continuous` when the place in the group was never lost. Called before anything of it is fetched. */
  joined(partitions: readonly PartitionName[], continuous: boolean): void;
  /** A promise holds the client, and with it a rebalance: never for long. */
  batch(payload: EachBatchPayload): Promise<void> | undefined;
  /** Fetched records that nobody may see; none of them is given to `batch`. `first` is undefined when all lie before where the fetch began. */
  filtered(partition: PartitionName, first: number | undefined, last: number): void;
  /** A fetch has come back without an error, with records or without. */
  fetched(): void;
  /** It is over: nothing more will come of this session. */
  ended(error: PenstockError): void;
  owned(): { readonly owned: readonly PartitionName[]; readonly since: number };
}

export interface SessionOptions {
  readonly client: () => Kafka;
  readonly settings: KafkaSettings;
  readonly group: string;
  readonly topics: readonly string[];
  readonly listener: SessionListener;
}

const LEAVE_MS = 5000;

/** One life of the client's consumer: it joins, fetches and beats until it crashes or is closed; it is never started a second time. */
export class Session {
  private readonly consumer: Consumer;
  private memberId: string | undefined;
  private started: Promise<void> | undefined;
  private over = false;
  private lastBeat = Date.now();
  private cluster: Cluster | undefined;
  private generation: number | undefined;

  constructor(private readonly options: SessionOptions) {
    const { client, settings, group, listener } = options;
    this.consumer = client().consumer({
      groupId: group,
      partitionAssigners: [
        stickyAssigner({
          owned: () => listener.owned(),
          cluster: (cluster) => {
            this.cluster = cluster;
          },
        }),
        kafkajs.PartitionAssigners.roundRobin,
      ],
      sessionTimeout: settings.sessionTimeoutMs,
      rebalanceTimeout: settings.rebalanceTimeoutMs,
      heartbeatInterval: settings.heartbeatMs,
      metadataMaxAge: settings.metadataMaxAgeMs,
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: settings.fetchWaitMs,
      maxBytesPerPartition: settings.fetchBytes,
      // It is for us to start again: with a new client, and with a pause.
      retry: { ...RETRY, restartOnFailure: () => Promise.resolve(false) },
    });
    const { events } = this.consumer;
    this.consumer.on(events.GROUP_JOIN, ({ payload: { memberId, memberAssignment } }) => this.joined(memberId, memberAssignment));
    this.consumer.on(events.REBALANCING, () => {
      // The group waits for its members, and answers none of them meanwhile.
      this.lastBeat = Date.now() + settings.rebalanceTimeoutMs;
    });
    this.consumer.on(events.FETCH, () => {
      if (!this.over) listener.fetched();
    });
    this.consumer.on(events.START_BATCH_PROCESS, ({ payload: { topic, partition, batchSize, firstOffset, lastOffset } }) => {
      if (batchSize > 0 || this.over) return;
      // The client's types do not know of a batch without a first record.
      const first = firstOffset as string | null;
      listener.filtered({ topic, partition }, first === null ? undefined : Number(first), Number(lastOffset));
    });
    this.consumer.on(events.HEARTBEAT, ({ payload: { groupGenerationId, memberId } }) => {
      this.lastBeat = Date.now();
      // One that was under way during an assignment tells the generation before: commits under it are refused, which is as it should be.
      if (memberId === this.memberId) this.generation = groupGenerationId;
    });
    this.consumer.on(events.CRASH, ({ payload: { error } }) => this.end(toPenstock(error, `the consumer of group ${group} has ended`)));
  }

  /** When the group last heard of this member, in milliseconds since 1970; while it is spread anew, until when it may be silent. */
  get beatAt(): number {
    return this.lastBeat;
  }

  /** Rejects when the group cannot be joined. */
  start(): Promise<void> {
    this.started ??= this.run();
    return this.started;
  }

  /** From this offset on; of a partition that is assigned. */
  seek({ topic, partition }: PartitionName, offset: number): void {
    if (!this.over) this.consumer.seek({ topic, partition, offset: String(offset) });
  }

  pause({ topic, partition }: PartitionName): void {
    if (!this.over) this.consumer.pause([{ topic, partitions: [partition] }]);
  }

  resume({ topic, partition }: PartitionName): void {
    if (!this.over) this.consumer.resume([{ topic, partitions: [partition] }]);
  }

  /**
   * A way to commit that asks who coordinates the group. The client asks only when it joins: when the coordinator moves and the place in the group
   * outlives it, its own commits go to the old one for ever. Undefined until the generation is known, which is fixed here and now.
   */
  commitAfresh(): ((topics: TopicOffsets[]) => Promise<void>) | undefined {
    const { cluster, generation, memberId } = this;
    const groupId = this.options.group;
    if (cluster === undefined || generation === undefined || memberId === undefined || this.over) return undefined;
    return async (topics) => {
      const coordinator = await cluster.findGroupCoordinator({ groupId });
      await coordinator.offsetCommit({ groupId, groupGenerationId: generation, memberId, topics });
    };
  }

  /** Leaves the group, or gives up trying: another life may begin. */
  async close(): Promise<void> {
    this.over = true;
    // The client hangs when it is stopped before it has joined.
    if (this.started !== undefined)
      await within(
        this.started.catch(() => undefined),
        LEAVE_MS,
      );
    try {
      await within(this.consumer.disconnect(), LEAVE_MS);
    } catch {
      // The connections are gone; the group will notice by itself.
    }
  }

  private async run(): Promise<void> {
    const { group, topics, listener } = this.options;
    try {
      await this.consumer.connect();
      await this.consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await this.consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 64,
        eachBatch: async (payload) => {
          if (!this.over) await listener.batch(payload);
        },
      });
    } catch (error) {
      throw toPenstock(error, `group ${group} cannot be joined`);
    }
  }

  private joined(memberId: string, assignment: Readonly<Record<string, readonly number[]>>): void {
    if (this.over) return;
    this.lastBeat = Date.now();
    const continuous = this.memberId === memberId;
    this.generation = undefined;
    this.memberId = memberId;
    const partitions = Object.entries(assignment).flatMap(([topic, numbers]) => numbers.map((partition) => ({ topic, partition })));
    this.options.listener.joined(partitions, continuous);
  }

  private end(error: PenstockError): void {
    if (this.over) return;
    this.over = true;
    this.options.listener.ended(error);
  }
}
