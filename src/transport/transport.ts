import type { Observable } from 'rxjs';
import type { Delivery } from '../../operators/index.js';

/** A header's name and its bytes; names may repeat. */
export type Header = readonly [name: string, value: Buffer];

/** A record of the log, as it lies there. */
export interface LogRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

/** A record to be written. Without a partition the key decides (murmur2 as Kafka's own), without a key the transport takes turns. */
export interface NewRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, string>> | readonly Header[];
  /** Defaults to now. */
  readonly timestamp?: number;
}

export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What a worker puts on a claim (`delivery.carry`) for the transport to make durable with the outcome. */
export type Carried = Produced | Mark;
export interface Produced {
  readonly kind: 'produce';
  readonly record: NewRecord;
}
/**
 * Remembers a key in a mark store, co-partitioned with the delivery's source; counts once the delivery's records are durable. The last mark of a key
 * counts; one that has expired already makes the store forget the key.
 */
export interface Mark {
  readonly kind: 'mark';
  readonly store: string;
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** What is remembered of the key; a short text. Defaults to nothing. */
  readonly value?: string;
}

export interface Capabilities {
  /** Outcome, carried records and marks become durable in one transaction; else at least once, in that order. */
  readonly atomicCommit: boolean;
  /** Survives the process. */
  readonly durable: boolean;
  /** Several processes may share it. */
  readonly shared: boolean;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Records older than this may go; none means for ever. */
  readonly retentionMs?: number;
}

export interface PartitionOffsets {
  readonly partition: number;
  /** First offset that is still there. */
  readonly start: number;
  /** The offset that the next record will get. */
  readonly end: number;
}

export interface ConsumeOptions {
  readonly topics: readonly string[];
  readonly group: string;
  /** The most deliveries, and the most bytes of their values, that may be unsettled at once. */
  readonly credits: { readonly count: number; readonly bytes: number };
  /** Where a group without a committed offset starts. Defaults to `earliest`. */
  readonly from?: 'earliest' | 'latest';
  /** An item failed: the worker retries or dead-letters it and settles it. Defaults to releasing it. */
  onFailure?(error: unknown, delivery: Delivery<unknown>): void;
}

export interface Assignment {
  readonly topic: string;
  readonly partition: number;
  /** Grows with each assignment of this partition; a commit of an older one is refused. */
  readonly epoch: number;
  /** Aborted when the partition is taken away. */
  readonly lost: AbortSignal;
}

export interface ConsumerState {
  readonly inFlight: number;
  readonly inFlightBytes: number;
  readonly assigned: readonly Assignment[];
  /** Partitions held by `pauseUntil` or for want of credits. */
  readonly paused: number;
  /** Records behind the ends of the assigned partitions that are not yet handed out. */
  readonly lag: number;
  /** Set while intake is stopped by a fault that the log reports (`disk_full`, …). */
  readonly fault: string | undefined;
  /** The fault in a sentence, where there is more to say than its name. */
  readonly faultText?: string | undefined;
  /** How long the committed offset of some partition has stood still while deliveries behind it are out, in milliseconds; the longest of them. */
  readonly commitAgeMs?: number;
  /** How full the room for what has left beyond the offset is, from 0 to 1; the fullest partition. Intake slows down before it is full. */
  readonly progressFill?: number;
}

/** One member of a consumer group. */
export interface Consumer {
  /**
   * Deliveries in order of offset within each partition, handed out while credits last; subscribed once. Completes after `drain`, when everything
   * in flight has settled; errors only when the log itself is lost. Unsubscribing releases what is in flight: late settlements are ignored.
   * What is released while the consumer goes on is handed out again after a pause of a second; its offset is not passed meanwhile.
   */
  readonly deliveries$: Observable<Delivery<LogRecord>>;
  /** Hands out nothing more; resolves when everything in flight has settled and progress is durable. Idempotent. */
  drain(): Promise<void>;
  /** Hands out nothing of this partition before the time (milliseconds since 1970); what is in flight goes on. */
  pauseUntil(topic: string, partition: number, time: number): void;
  state(): ConsumerState;
}

export interface Marked {
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Empty when the mark said nothing. */
  readonly value: string;
}

/** Keys remembered for a while; written only through a claim (`Mark`). */
export interface Marks {
  /** Whether the key is remembered and has not expired at `now` (milliseconds since 1970). */
  has(key: string, now: number): boolean;
  /** What is remembered of the key, when it has not expired at `now`. */
  get(key: string, now: number): Marked | undefined;
  /** Marks kept, and those that left early because capacity was reached. */
  stats(): { readonly size: number; readonly evicted: number };
}

/** The log underneath: topics of partitions, consumer groups, marks. One conformance suite covers every implementation. */
export interface Transport {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Creates what is missing; never shrinks or deletes. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>;
  topics(): Promise<readonly (TopicSpec & { readonly offsets: readonly PartitionOffsets[] })[]>;
  /** The identity of a topic's log, made with the topic: it changes when the topic is deleted and made again. */
  identity(topic: string): Promise<string>;
  /** Resolves when all records are durable; rejects when none can be trusted to be. */
  produce(records: readonly NewRecord[]): Promise<readonly Position[]>;
  consume(options: ConsumeOptions): Consumer;
  /** Records from an offset (default: the start) to the end that the partition has now, without a group. */
  read(topic: string, partition: number, from?: number): AsyncIterable<LogRecord>;
  offsets(topic: string): Promise<readonly PartitionOffsets[]>;
  /** A group's committed offsets: everything below has left; -1 when it never committed. */
  committed(group: string, topic: string): Promise<readonly { readonly partition: number; readonly offset: number }[]>;
  /** How many of `[committed, end)` a group has not settled, over all partitions of the topics. */
  backlog(group: string, topics: readonly string[]): Promise<number>;
  marks(store: string, options: { readonly capacity: number }): Marks;
  /** Deletes records past their retention. */
  enforceRetention(now: number): Promise<number>;
  close(): Promise<void>;
}
