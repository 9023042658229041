import type { PenstockError } from '../../diagnostics/index.js';
import type { Progress } from '../ledger.js';
import type { Lease, WriteResult, WriteUnit } from '../log-store.js';
import type { Prepared } from '../prepared.js';
import { protocolType, REBALANCING, toPenstock } from './failure.js';
import { commitText } from './held-partition.js';
import type { MarkTopics, PlacedMark } from './mark-topics.js';
import type { BatchingProducer } from './producer.js';
import { progressText } from './progress-text.js';
import type { Placed } from './record.js';

/** Offsets as the client takes them. */
export interface CommitRequest {
  readonly topics: {
    readonly topic: string;
    readonly partitions: {
      readonly partition: number;
      readonly offset: string;
      readonly metadata: string;
      /** The commit in a form that can be compared. */
      readonly text: string;
    }[];
  }[];
}

export interface CommitPathOptions {
  readonly producer: Pick<BatchingProducer, 'send'>;
  readonly marks: Pick<MarkTopics, 'recordsOf' | 'remember'>;
  place(records: readonly Prepared[]): Promise<readonly Placed[]>;
  isCurrent(lease: Lease): boolean;
  /** Called right after `isCurrent`, in the same turn. */
  send(request: CommitRequest): Promise<void>;
  fault(): PenstockError | undefined;
  /** The unit's offset is durable. */
  committed(lease: Lease, progress: Progress): void;
}

/** A unit whose offset waits to be committed. */
interface Waiting {
  readonly unit: WriteUnit;
  resolve(written: boolean): void;
  reject(error: unknown): void;
}

/**
 * How what was settled becomes durable on Kafka: the records, then the marks, then the offsets. Writes of different partitions pass each other up to there;
 * one request with offsets is out at a time, and those that come meanwhile go together into the next. A unit whose partition is no longer held is fenced;
 * what fails is tried again by the committer, without the records that the brokers have already acknowledged.
 */
export class CommitPath {
  /** Acknowledged, while the rest of their write is not. */
  private readonly acknowledged = new WeakSet<Prepared>();
  private open: Promise<void> | undefined;
  private release: (() => void) | undefined;
  private waiting: Waiting[] = [];
  private committing = false;

  constructor(private readonly options: CommitPathOptions) {}

  /** Commits wait until `changed` is called: an assignment has been made and is not yet understood. */
  hold(): void {
    this.open ??= new Promise((resolve) => {
      this.release = resolve;
    });
  }

  changed(): void {
    this.open = undefined;
    this.release?.();
    this.release = undefined;
  }

  async write(units: readonly WriteUnit[]): Promise<readonly WriteResult[]> {
    const { isCurrent, fault } = this.options;
    const live = units.filter(({ lease }) => lease === undefined || isCurrent(lease));
    if (live.every(isProbe)) {
      const now = fault();
      if (now !== undefined && live.length > 0) throw now;
      return units.map((unit) => (live.includes(unit) ? { kind: 'written', positions: [] } : { kind: 'fenced' }));
    }
    const records = live.flatMap((unit) => unit.records);
    await this.produce(records);
    try {
      await this.mark(live);
      const written = new Set<WriteUnit>();
      await Promise.all(live.map(async (unit) => (await this.commit(unit)) && written.add(unit)));
      return units.map((unit) => (written.has(unit) ? { kind: 'written', positions: [] } : { kind: 'fenced' }));
    } catch (error) {
      for (const record of records) this.acknowledged.add(record);
      throw error;
    }
  }

  private async produce(records: readonly Prepared[]): Promise<void> {
    const open = records.filter((record) => !this.acknowledged.has(record));
    if (open.length === 0) return;
    const placed = await this.options.place(open);
    const done: number[] = [];
    try {
      await this.options.producer.send(placed, (index) => done.push(index));
    } catch (error) {
      for (const index of done) this.acknowledged.add(open[index]!);
      throw error;
    }
  }

  private async mark(units: readonly WriteUnit[]): Promise<void> {
    const marks: PlacedMark[] = units.flatMap(({ lease, marks: each }) =>
      lease === undefined ? [] : each.map((mark) => ({ mark, source: { topic: lease.topic, partition: lease.partition } })),
    );
    if (marks.length === 0) return;
    const now = Date.now();
    await this.options.producer.send(await this.options.marks.recordsOf(marks, now));
    this.options.marks.remember(marks, now);
  }

  /** Whether the unit's offset is durable; false when the partition was lost meanwhile. */
  private commit(unit: WriteUnit): Promise<boolean> {
    if (unit.lease === undefined || unit.progress === undefined) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      this.waiting.push({ unit, resolve, reject });
      if (!this.committing) void this.commitAll();
    });
  }

  private async commitAll(): Promise<void> {
    this.committing = true;
    while (this.waiting.length > 0) {
      while (this.open !== undefined) await this.open;
      // From a turn of its own, so that no part of an assignment can be taken in between the check and the call.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.open === undefined) await this.commitOnce(this.waiting.splice(0));
    }
    this.committing = false;
  }

  private async commitOnce(waiting: readonly Waiting[]): Promise<void> {
    const current = waiting.filter(({ unit }) => this.options.isCurrent(unit.lease!));
    for (const each of waiting) if (!current.includes(each)) each.resolve(false);
    if (current.length === 0) return;
    try {
      await this.options.send(requestOf(current.map(({ unit }) => unit)));
      for (const { unit, resolve } of current) {
        this.options.committed(unit.lease!, unit.progress!);
        resolve(true);
      }
    } catch (error) {
      if (REBALANCING.has(protocolType(error) ?? '')) {
        this.waiting.unshift(...current);
        await Promise.race([this.nextChange(), pause(500)]);
      } else for (const { reject } of current) reject(toPenstock(error, 'offsets cannot be committed'));
    }
  }

  private nextChange(): Promise<void> {
    return this.open ?? pause(50);
  }
}

function isProbe({ lease, records, marks }: WriteUnit): boolean {
  return lease === undefined && records.length === 0 && marks.length === 0;
}

function requestOf(units: readonly WriteUnit[]): CommitRequest {
  const topics = new Map<string, CommitRequest['topics'][number]>();
  for (const { lease, progress } of units) {
    const { topic, partition } = lease!;
    let entry = topics.get(topic);
    if (entry === undefined) {
      entry = { topic, partitions: [] };
      topics.set(topic, entry);
    }
    const metadata = progressText(progress!);
    entry.partitions.push({ partition, offset: String(progress!.offset), metadata, text: commitText(progress!) });
  }
  return { topics: [...topics.values()] };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
