import type { Progress } from '../ledger.js';
import type { PartitionName } from '../log-store.js';
import { decodeRanges, encodeRanges } from '../ranges.js';
import type { PartitionOffsets } from '../transport.js';
import { PartitionBuffer } from './partition-buffer.js';
import { progressText } from './progress-text.js';

/** A partition while this member has it. */
export interface Held extends PartitionName {
  readonly epoch: number;
  /** The identity of the topic when it was begun; undefined where the brokers know none. */
  readonly topicId: string | undefined;
  /** Where the member began. */
  readonly progress: Progress;
  readonly buffer: PartitionBuffer;
  /** The offset that the next record will get, as last heard. */
  end: number;
  paused: boolean;
  /** It is being looked up where to go on: what is fetched meanwhile is not taken. */
  straying: boolean;
  /** When something was last fetched or there was nothing to fetch, in milliseconds since 1970. */
  movedAt: number;
  /** What this member has committed last, and what it may have committed. */
  readonly commits: string[];
  /** What it has committed last for certain. */
  stands: Progress;
}

export interface Beginning {
  readonly epoch: number;
  readonly progress: Progress;
  readonly topicId: string | undefined;
  readonly end: number;
  readonly now: number;
}

export function hold({ topic, partition }: PartitionName, { epoch, progress, topicId, end, now }: Beginning): Held {
  return {
    topic,
    partition,
    epoch,
    topicId,
    progress,
    buffer: new PartitionBuffer(progress.offset),
    end,
    paused: false,
    straying: false,
    movedAt: now,
    commits: [commitText(progress)],
    stands: progress,
  };
}

/** Whether the topic is another one than that which was begun, under the same name. */
export function isAnother(held: Held, topicId: string | undefined): boolean {
  return topicId !== undefined && held.topicId !== undefined && topicId !== held.topicId;
}

/** How many records before `start` the group had not settled. A group that stands at the very start has perhaps lost its place, and says nothing. */
export function removedBefore({ offset, beyond }: Progress, start: number): number {
  if (offset >= start || (offset === 0 && beyond.length === 0)) return 0;
  return decodeRanges(beyond, offset).reduce((left, [from, to]) => left - Math.min(to, start) + Math.min(from, start), start - offset);
}

/** A commit in a form that can be compared. */
export function commitText(progress: Progress): string {
  return `${progress.offset} ${progressText(progress)}`;
}

/** Where to begin: where the group stands, or at the first record that is still there. Undefined when the group stands behind the end of the log. */
export function startOf(
  committed: Progress | undefined,
  { start, end }: PartitionOffsets,
  from: 'earliest' | 'latest',
): Progress | undefined {
  if (committed === undefined) return { offset: from === 'latest' ? end : start, beyond: new Uint8Array(0) };
  if (committed.offset > end) return undefined;
  if (committed.offset >= start) return committed;
  const kept = decodeRanges(committed.beyond, committed.offset)
    .filter(([, to]) => to > start)
    .map(([first, to]) => [Math.max(first, start), to] as const);
  return { offset: start, beyond: encodeRanges(kept, start) };
}
