import type { PenstockError } from '../diagnostics/index.js';
import type { Progress } from './ledger.js';
import type { Prepared } from './prepared.js';
import type { LogRecord, Mark, Marks, PartitionOffsets, Position, TopicSpec } from './transport.js';

/** The right of one member to commit one partition; a newer epoch ends it. */
export interface Lease {
  readonly group: string;
  readonly member: string;
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
}

/** What becomes durable together or not at all: carried records, marks and progress of a partition, or what somebody produced. */
export interface WriteUnit {
  /** None for records that belong to no delivery. */
  readonly lease: Lease | undefined;
  readonly progress: Progress | undefined;
  readonly records: readonly Prepared[];
  readonly marks: readonly Mark[];
}

/** `fenced`: the lease was not current, and nothing of the unit was written. */
export type WriteResult = { readonly kind: 'written'; readonly positions: readonly Position[] } | { readonly kind: 'fenced' };

/** A member that says it is alive. */
export interface Beat {
  readonly group: string;
  readonly member: string;
  readonly topics: readonly string[];
  readonly from: 'earliest' | 'latest';
  /** Partitions that this member gives back. */
  readonly surrendered: readonly PartitionName[];
}

export interface PartitionName {
  readonly topic: string;
  readonly partition: number;
}

export interface Granted extends PartitionName {
  readonly epoch: number;
  /** Where the group stands, undefined when it never committed. */
  readonly progress: Progress | undefined;
}

export interface BeatAnswer {
  /** All that the member holds now. */
  readonly granted: readonly Granted[];
  /** Those of them that another member should have: to be given back when nothing of them is in flight. */
  readonly surplus: readonly PartitionName[];
}

/** `records`: there may be something to read. `groups`: members or partitions have changed. */
export type Change = 'records' | 'groups';

/** What a log must do for the group consumers above it, whatever it is kept in. Reads are synchronous and see what is durable. */
export interface LogStore {
  /** How long a member may be silent before its partitions go to others; undefined when members cannot die alone. */
  readonly leaseMs: number | undefined;
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>;
  topics(): readonly TopicSpec[];
  identity(topic: string): string;
  /** Undefined for a topic that is not there. */
  bounds(topic: string): readonly PartitionOffsets[] | undefined;
  end(topic: string, partition: number): number;
  /** Some records from an offset on, in order; from the first that is still there when that one is gone. Empty at the end. */
  read(topic: string, partition: number, from: number): readonly LogRecord[];
  /** Below this offset there is nothing to read that has not been read under the lease; for a log that holds more than its records. */
  passedOver?(lease: Lease): number;
  progress(group: string, topic: string, partition: number): Progress | undefined;
  /** Why a record cannot be written, undefined when it can. */
  refusal(record: Prepared): Error | undefined;
  /** Why writes have been waiting for seconds; nothing when they do not. */
  obstacle?(): PenstockError | undefined;
  /** One transaction; rejects when nothing of it was written. */
  write(units: readonly WriteUnit[]): Promise<readonly WriteResult[]>;
  beat(beat: Beat): Promise<BeatAnswer>;
  /** Changes whenever a beat of this group could have another answer. */
  shapeOf(group: string, topics: readonly string[]): string;
  leave(group: string, member: string): Promise<void>;
  marks(store: string, capacity: number): Marks;
  enforceRetention(now: number): Promise<number>;
  /** Called after changes of this process and, soon, of others. */
  onChange(listener: (change: Change) => void): () => void;
  close(): Promise<void>;
}

/** What one member of a group needs of it. */
export type GroupStore = Pick<
  LogStore,
  'leaseMs' | 'end' | 'read' | 'passedOver' | 'refusal' | 'beat' | 'shapeOf' | 'leave' | 'onChange' | 'write' | 'obstacle'
>;
