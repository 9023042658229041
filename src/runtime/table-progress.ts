import type { Delivery, Origin, Outcome, SettledListener } from '../../operators/index.js';
import type { Row } from '../storage/delta/table.js';

/** A row and the table it is for. */
export interface TableRow {
  readonly table: string;
  readonly row: Row;
}

/** A row that waits to be written. */
export interface HeldRow {
  readonly delivery: Delivery<TableRow>;
  readonly bytes: number;
  /** Its place in its partition; none in a bare pipe. */
  readonly entry: Entry | undefined;
}

/** A delivery, or a fork of it, on its way to the writer. */
class Part {
  held = false;
  parts: readonly Part[] | undefined;

  constructor(readonly delivery: Delivery<unknown>) {}

  /** Nothing more of it is on its way: it waits at the writer, or somebody has settled it. */
  get arrived(): boolean {
    if (this.parts !== undefined) return this.parts.every((part) => part.arrived);
    return this.held || this.delivery.outcome !== undefined;
  }

  /** The first of its leaves that has not arrived. */
  missing(): Part | undefined {
    if (this.parts === undefined) return this.arrived ? undefined : this;
    for (const part of this.parts) {
      const missing = part.missing();
      if (missing !== undefined) return missing;
    }
    return undefined;
  }
}

/** One delivery of a partition, from the source until its rows are in a commit or its door is durable. */
export class Entry {
  /** `past`: its rows are committed, or its door is durable. `released`: it comes again, and those behind it wait for that. */
  state: 'open' | 'past' | 'released' = 'open';
  rows: HeldRow[] = [];
  root: Part;

  constructor(
    readonly partition: PartitionProgress,
    readonly offset: number,
    delivery: Delivery<unknown>,
  ) {
    this.root = new Part(delivery);
  }

  /** All its rows are here, and none of them has been settled by somebody else. */
  get ready(): boolean {
    return this.rows.length > 0 && this.root.arrived && this.rows.every((row) => row.delivery.outcome === undefined);
  }
}

/** The deliveries of one partition in the order of their offsets. */
export class PartitionProgress {
  private entries: Entry[] = [];
  private head = 0;
  private readonly byOffset = new Map<number, Entry>();

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly appId: string,
  ) {}

  /** Entries from the first that is not past on. */
  *open(): Generator<Entry> {
    this.forgetPast();
    const entries = this.entries; // forgetting makes another list, so whoever walks this one is not disturbed
    for (let at = this.head; at < entries.length; at += 1) yield entries[at]!;
  }

  find(offset: number): Entry | undefined {
    return this.byOffset.get(offset);
  }

  /** A delivery has come in, or has come again. */
  add(offset: number, delivery: Delivery<unknown>): Entry {
    const entry = new Entry(this, offset, delivery);
    const before = this.byOffset.get(offset);
    this.byOffset.set(offset, entry);
    const at = this.placeOf(offset);
    if (before !== undefined && this.entries[at] === before) this.entries[at] = entry;
    else this.entries.splice(at, 0, entry);
    return entry;
  }

  get size(): number {
    this.forgetPast();
    return this.entries.length - this.head;
  }

  /** The first place whose offset is not below; nearly always the end. */
  private placeOf(offset: number): number {
    let at = this.entries.length;
    while (at > this.head && this.entries[at - 1]!.offset >= offset) at -= 1;
    return at;
  }

  private forgetPast(): void {
    while (this.head < this.entries.length && this.entries[this.head]!.state === 'past') {
      const entry = this.entries[this.head]!;
      if (this.byOffset.get(entry.offset) === entry) this.byOffset.delete(entry.offset);
      this.head += 1;
    }
    if (this.head < 1024 && this.head < this.entries.length) return;
    this.entries = this.entries.slice(this.head);
    this.head = 0;
  }
}

/** Where a released or settled delivery is heard of. */
export interface ProgressListener {
  /** The door of a tracked delivery is durable; what it still held here must not be written. */
  left(entry: Entry, outcome: Outcome): void;
}

/** Learns from the source which deliveries there are, so that a writer knows which of them may go into one commit. */
export class Progress {
  private readonly partitions = new Map<string, PartitionProgress>();

  constructor(
    private readonly appId: (topic: string, partition: number) => string,
    private readonly listener: ProgressListener,
  ) {}

  all(): Iterable<PartitionProgress> {
    return this.partitions.values();
  }

  /** Follows a delivery until its door is durable, and its forks on their way. */
  track<T>(delivery: Delivery<T>): Delivery<T> {
    const { origin } = delivery;
    if (origin === undefined) return delivery;
    const entry = this.partitionOf(origin).add(origin.offset, delivery);
    delivery.whenSettled((outcome) => {
      // what was written stays written, whatever its source makes of it
      if (entry.state === 'open') entry.state = outcome === 'released' ? 'released' : 'past';
      this.listener.left(entry, outcome);
    });
    return new Tracked(delivery, entry.root);
  }

  /** Finds the place of a row that has arrived, undefined when its delivery was never tracked. */
  arrived(delivery: Delivery<TableRow>, origin: Origin): Entry | undefined {
    const entry = this.partitions.get(nameOf(origin))?.find(origin.offset);
    if (entry === undefined) return undefined;
    const part = delivery instanceof Tracked ? delivery.part : entry.root.missing();
    if (part !== undefined) part.held = true;
    return entry;
  }

  /** The partition went to somebody else: what was released here does not come back. */
  forget(topic: string, partition: number): PartitionProgress | undefined {
    const name = nameOf({ topic, partition });
    const progress = this.partitions.get(name);
    this.partitions.delete(name);
    return progress;
  }

  private partitionOf(origin: Origin): PartitionProgress {
    const name = nameOf(origin);
    let progress = this.partitions.get(name);
    if (progress === undefined) {
      progress = new PartitionProgress(origin.topic, origin.partition, this.appId(origin.topic, origin.partition));
      this.partitions.set(name, progress);
    }
    return progress;
  }
}

function nameOf({ topic, partition }: Pick<Origin, 'topic' | 'partition'>): string {
  return `${topic}/${String(partition)}`;
}

/** A delivery that tells of its forks. */
class Tracked<T> implements Delivery<T> {
  constructor(
    private readonly inner: Delivery<T>,
    readonly part: Part,
  ) {}

  get value(): T {
    return this.inner.value;
  }

  get origin(): Origin | undefined {
    return this.inner.origin;
  }

  get outcome(): Outcome | undefined {
    return this.inner.outcome;
  }

  settle(outcome: Outcome, reason?: string): void {
    this.inner.settle(outcome, reason);
  }

  fail(error: unknown): void {
    this.inner.fail(error);
  }

  whenSettled(listener: SettledListener): void {
    this.inner.whenSettled(listener);
  }

  carry(item: unknown): void {
    this.inner.carry(item);
  }

  with<U>(value: U): Delivery<U> {
    return new Tracked(this.inner.with(value), this.part);
  }

  fork<U>(values: readonly U[]): readonly Delivery<U>[] {
    const forks = this.inner.fork(values);
    const parts = forks.map((fork) => new Part(fork));
    this.part.parts = parts;
    return forks.map((fork, i) => new Tracked(fork, parts[i]!));
  }
}
