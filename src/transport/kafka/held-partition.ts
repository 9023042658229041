import type { Progress } from '../ledger.js';
import type { PartitionName } from '../log-store.js';
import { decodeRanges, encodeRanges } from '../ranges.js';
import type { PartitionOffsets } from '../transport.js';
import { PartitionBuffer } from './partition-buffer.js';
import { progressText } from './progress-text.js';

/** A partition while this member has it. */
export interface Held extends PartitionName {
  readonly epoch: number;
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
}

export function hold(name: PartitionName, epoch: number, progress: Progress, bounds: PartitionOffsets, now: number): Held {
  return {
    topic: name.topic,
    partition: name.partition,
    epoch,
    progress,
    buffer: new PartitionBuffer(progress.offset),
    end: bounds.end,
    paused: false,
    straying: false,
    movedAt: now,
    commits: [commitText(progress)],
  };
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
