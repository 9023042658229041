import { countIn, decodeRanges, encodeRanges, type Range } from './ranges.js';

/** How far a group has come in one partition. */
export interface Progress {
  /** Everything below has left. */
  readonly offset: number;
  /** What has left at or above `offset`, in the ledger's own compact form; empty when nothing has. */
  readonly beyond: Uint8Array;
}

/** How many offsets of a partition a group has not settled; all of them when it never committed. */
export function unsettledOf(progress: Progress | undefined, { start, end }: { readonly start: number; readonly end: number }): number {
  if (progress === undefined) return end - start;
  return Math.max(0, end - Math.max(progress.offset, start) - countIn(progress.beyond, progress.offset));
}

export interface LedgerOptions {
  /** The widest span, in deliveries, from the oldest unsettled to the newest. Rounded up to a power of two. */
  readonly capacity: number;
  readonly start: Progress;
}

const NOTHING = new Uint8Array(0);

/**
 * What may be committed of one partition: deliveries open in order of offset and settle in any order; the offset moves behind the contiguous
 * prefix. Offsets may have gaps. Memory is fixed at the start: a byte and an offset a place, whatever happens.
 */
export class Ledger {
  private readonly mask: number;
  private readonly left: Uint8Array;
  private readonly offsets: Float64Array;
  private head = 0;
  private tail = 0;
  private beyondHead = 0;
  private position: number;
  private restored: Range[];

  constructor({ capacity, start }: LedgerOptions) {
    const places = 2 ** Math.ceil(Math.log2(Math.max(2, capacity)));
    this.mask = places - 1;
    this.left = new Uint8Array(places);
    this.offsets = new Float64Array(places);
    this.position = start.offset;
    this.restored = decodeRanges(start.beyond, start.offset);
  }

  /** The span from the oldest unsettled delivery to the newest, in deliveries. */
  get spread(): number {
    return this.tail - this.head;
  }

  get inFlight(): number {
    return this.spread - this.beyondHead;
  }

  /** No place for another delivery until the oldest settles. */
  get full(): boolean {
    return this.spread > this.mask;
  }

  /** Everything below has left. */
  get offset(): number {
    return this.head === this.tail ? this.position : this.offsets[this.head & this.mask]!;
  }

  /** The offset to ask the log for next. */
  get next(): number {
    return this.position;
  }

  /** Takes the next record of the log into the book. Undefined when it has left already, before a restart: it is passed over. */
  open(offset: number): number | undefined {
    if (offset < this.position) throw new RangeError(`offset ${offset} opens behind ${this.position}`);
    if (this.full) throw new RangeError(`the ledger holds ${this.spread} places and is full`);
    const seq = this.tail;
    this.tail += 1;
    this.offsets[seq & this.mask] = offset;
    this.left[seq & this.mask] = 0;
    this.position = offset + 1;
    if (!this.hasLeft(offset)) return seq;
    this.settle(seq);
    return undefined;
  }

  /** Says that the log has nothing between the last record and `offset` (a gap, or records past their retention). */
  skipTo(offset: number): void {
    if (offset > this.position) this.position = offset;
  }

  /** The delivery has left. A second call, or one for a place long gone, changes nothing. */
  settle(seq: number): void {
    if (seq < this.head || seq >= this.tail || this.left[seq & this.mask] === 1) return;
    this.left[seq & this.mask] = 1;
    this.beyondHead += 1;
    while (this.head < this.tail && this.left[this.head & this.mask] === 1) {
      this.head += 1;
      this.beyondHead -= 1;
    }
  }

  /** What to remember of this partition. `maxBytes` bounds `beyond`; what does not fit would only be delivered again. */
  progress(maxBytes = Infinity): Progress {
    const offset = this.offset;
    if (this.beyondHead === 0 && this.restored.length === 0) return { offset, beyond: NOTHING };
    return { offset, beyond: encodeRanges(this.ranges(), offset, maxBytes) };
  }

  private *ranges(): Generator<Range> {
    let start = -1;
    for (let seq = this.head; seq < this.tail; seq += 1) {
      const at = seq & this.mask;
      if (this.left[at] === 1) {
        if (start < 0) start = this.offsets[at]!;
      } else if (start >= 0) {
        yield [start, this.offsets[(seq - 1) & this.mask]! + 1];
        start = -1;
      }
    }
    if (start >= 0) yield [start, this.offsets[(this.tail - 1) & this.mask]! + 1];
    for (const [from, to] of this.restored) if (to > this.position) yield [Math.max(from, this.position), to];
  }

  /** Whether the record left before the restart that this ledger continues from; for offsets not yet opened, in order. */
  hasLeft(offset: number): boolean {
    while (this.restored.length > 0 && this.restored[0]![1] <= offset) this.restored.shift();
    const first = this.restored[0];
    return first !== undefined && offset >= first[0];
  }
}
