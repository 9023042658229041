import type { ClaimOwner, Delivery, Ending, Outcome } from '../../operators/index.js';
import { PenstockError } from '../diagnostics/index.js';
import type { CommitJob } from './committer.js';
import { Ledger, type Progress } from './ledger.js';
import type { Lease, WriteResult, WriteUnit } from './log-store.js';
import { type Carry, type Prepared, prepareCarried, sizeOf } from './prepared.js';
import type { Assignment, LogRecord, Mark } from './transport.js';

/** What a feed tells the consumer it belongs to. */
export interface FeedOwner {
  now(): number;
  /** The claim ended: its credit is free. */
  ended(feed: Feed, bytes: number): void;
  /** There is something to commit. */
  dirty(feed: Feed): void;
  /** The lease was not current at a commit. */
  fenced(feed: Feed): void;
  itemFailed(error: unknown, delivery: Delivery<unknown>): void;
  warn(error: Error): void;
  /** Why the log cannot hold a record, undefined when it can. */
  refusal(record: Prepared): Error | undefined;
}

export interface FeedOptions {
  readonly lease: Lease;
  readonly start: Progress;
  readonly capacity: number;
  /** How long a released record waits before it is handed out again, in milliseconds. */
  readonly releaseMs: number;
  /** The most bytes of what is remembered beyond the offset. */
  readonly progressBytes: number;
  /** Records that are given back are kept until they are handed out again. */
  readonly keepReleased: boolean;
  readonly owner: FeedOwner;
}

/** A record that was given back and will be handed out again. */
export interface Released {
  readonly offset: number;
  readonly seq: number;
  readonly dueAt: number;
  /** Kept where the store cannot read it again. */
  readonly record: LogRecord | undefined;
}

interface Settled {
  readonly seq: number;
  readonly bytes: number;
  readonly outcome: Outcome;
  readonly carry: Carry;
  readonly confirm: (outcome: Outcome) => void;
}

const MOST_AT_ONCE = 2048;

/** What a range costs in the remembered progress, in bytes; one more for every so many offsets that it or the gap before it spans. */
const RANGE_BYTES = 4;
const OFFSETS_A_BYTE = 64;
/** The most that a span costs for each of its offsets: every second one a range, at two bytes. */
const BYTES_AN_OFFSET = 1.02;

/** One assigned partition while this member holds it: what is out, what was given back, what is settled and on its way into the log. */
export class Feed implements CommitJob {
  readonly lease: Lease;
  readonly ledger: Ledger;
  readonly assignment: Assignment;
  /** Read and not yet handed out. */
  buffer: readonly LogRecord[] = [];
  bufferAt = 0;
  pausedUntil = 0;
  /** When this partition goes to another member, finished or not; Infinity while it stays. */
  leavesAt = Infinity;
  /** Oldest first. */
  readonly released: Released[] = [];
  private readonly claims = new Set<OpenClaim>();
  private readonly settled: Settled[] = [];
  private readonly writing: Settled[] = [];
  private beyondBytes = 0;
  private committed: number;
  private standsSince = 0;
  private keptBytes = 0;
  private queued = false;
  private over = false;
  private readonly abort = new AbortController();

  constructor(private readonly options: FeedOptions) {
    const { lease, start, capacity } = options;
    this.lease = lease;
    this.ledger = new Ledger({ capacity, start });
    this.committed = start.offset;
    this.assignment = { topic: lease.topic, partition: lease.partition, epoch: lease.epoch, lost: this.abort.signal };
  }

  /** Deliveries that are out, and settled ones that are not yet durable. */
  get busy(): number {
    return this.claims.size + this.settled.length + this.writing.length;
  }

  get isOver(): boolean {
    return this.over;
  }

  /** How long the committed offset has stood still while something behind it is out, in milliseconds. */
  standing(now: number): number {
    return this.ledger.spread === 0 ? 0 : now - this.standsSince;
  }

  /** The share of the room for progress beyond the offset that is used, from 0 to 1. */
  get progressFill(): number {
    return this.beyondBytes / this.options.progressBytes;
  }

  /**
   * Whether another record may be taken: the ledger has a place, what was given back and is kept here is not too much, and what may have to be
   * remembered beyond the offset will fit, whatever settles in whatever order. A short span always fits, at a byte an offset; in a longer one the
   * number of records that are out decides, since each may come to stand between two ranges.
   */
  hasRoom(keptBytes: number): boolean {
    if (this.ledger.full || this.keptBytes > keptBytes) return false;
    const { progressBytes } = this.options;
    const { spread, inFlight } = this.ledger;
    if (spread * BYTES_AN_OFFSET <= progressBytes) return true;
    return inFlight * RANGE_BYTES + spread / OFFSETS_A_BYTE <= progressBytes;
  }

  /** The log has no more records below the offset: the group need not come back to them. */
  passOver(offset: number): void {
    if (this.over || offset <= this.ledger.next) return;
    this.ledger.skipTo(offset);
    if (this.ledger.spread === 0) this.markDirty();
  }

  /** A record that was given back is taken up again. */
  resume(released: Released): void {
    this.released.splice(this.released.indexOf(released), 1);
    if (released.record !== undefined) this.keptBytes -= sizeOf(released.record);
  }

  /** A claim for a record that the ledger has opened; `attach` its delivery before anybody sees it. */
  claim(record: LogRecord, seq: number, bytes: number): OpenClaim {
    const claim = new OpenClaim(this, record, seq, bytes);
    if (this.ledger.spread === 1) this.standsSince = this.options.owner.now();
    this.claims.add(claim);
    return claim;
  }

  /** The end of this assignment: what is out is released, later settlements are ignored; what was settled before is still written. */
  end(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.buffer = [];
    this.released.length = 0;
    this.abort.abort(new PenstockError('PS3001', `${this.lease.topic}/${this.lease.partition} is no longer assigned here: ${reason}`));
    // The newest first: a lane that one frees must not let the next of it begin, which is going as well.
    for (const claim of [...this.claims].reverse()) claim.release(reason);
  }

  claimSettled(claim: OpenClaim, ending: Ending, confirm: (outcome: Outcome) => void): void {
    this.claims.delete(claim);
    const { seq, bytes } = claim;
    if (ending.outcome === 'released') {
      this.giveBack(claim, confirm);
      return;
    }
    let carry: Carry;
    try {
      carry = prepareCarried(ending.carried, this.options.owner.now());
      for (const record of carry.records) {
        const refusal = this.options.owner.refusal(record);
        if (refusal !== undefined) throw refusal;
      }
    } catch (error) {
      this.options.owner.warn(error instanceof Error ? error : new Error(String(error)));
      this.giveBack(claim, confirm);
      return;
    }
    this.settled.push({ seq, bytes, outcome: ending.outcome, carry, confirm });
    this.markDirty();
  }

  claimFailed(error: unknown, delivery: Delivery<unknown>): void {
    this.options.owner.itemFailed(error, delivery);
  }

  unit(): WriteUnit {
    const room = MOST_AT_ONCE - this.writing.length;
    for (const settled of this.settled.splice(0, room)) {
      this.ledger.settle(settled.seq);
      this.writing.push(settled);
    }
    const records = this.writing.flatMap(({ carry }) => carry.records);
    const marks: Mark[] = this.writing.flatMap(({ carry }) => carry.marks);
    const progress = this.ledger.progress(this.options.progressBytes);
    this.beyondBytes = progress.beyond.length;
    return { lease: this.lease, progress, records, marks };
  }

  done(result: WriteResult): void {
    this.queued = false;
    const written = this.writing.splice(0);
    if (result.kind === 'fenced') this.options.owner.fenced(this);
    if (this.settled.length > 0) this.markDirty();
    const durable = result.kind === 'written';
    if (durable && this.ledger.offset > this.committed) {
      this.committed = this.ledger.offset;
      this.standsSince = this.options.owner.now();
    }
    for (const { seq, bytes, outcome, confirm } of written) {
      this.tell(confirm, durable ? outcome : 'released', seq);
      this.options.owner.ended(this, bytes);
    }
  }

  failed(): boolean {
    return true;
  }

  private giveBack(claim: OpenClaim, confirm: (outcome: Outcome) => void): void {
    if (!this.over) {
      const record = this.options.keepReleased ? claim.record : undefined;
      if (record !== undefined) this.keptBytes += sizeOf(record);
      this.released.push({ offset: claim.record.offset, seq: claim.seq, dueAt: this.options.owner.now() + this.options.releaseMs, record });
    }
    this.tell(confirm, 'released', claim.seq);
    this.options.owner.ended(this, claim.bytes);
  }

  private tell(confirm: (outcome: Outcome) => void, outcome: Outcome, seq: number): void {
    try {
      confirm(outcome);
    } catch (error) {
      const place = `${this.lease.topic}/${this.lease.partition}`;
      this.options.owner.warn(new PenstockError('PS7000', `a listener of settled delivery ${seq} of ${place} threw`, { cause: error }));
    }
  }

  private markDirty(): void {
    if (this.queued) return;
    this.queued = true;
    this.options.owner.dirty(this);
  }
}

/** The owner of one delivery's claim. */
export class OpenClaim implements ClaimOwner {
  private delivery: Delivery<LogRecord> | undefined;

  constructor(
    private readonly feed: Feed,
    readonly record: LogRecord,
    readonly seq: number,
    readonly bytes: number,
  ) {}

  attach(delivery: Delivery<LogRecord>): Delivery<LogRecord> {
    this.delivery = delivery;
    return delivery;
  }

  release(reason: string): void {
    this.delivery?.settle('released', reason);
  }

  settled(ending: Ending, confirm: (outcome: Outcome) => void): void {
    this.feed.claimSettled(this, ending, confirm);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    this.feed.claimFailed(error, delivery);
  }
}
