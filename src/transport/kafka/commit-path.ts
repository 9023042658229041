import type { PenstockError } from '../../diagnostics/index.js';
import type { Lease, WriteResult, WriteUnit } from '../log-store.js';
import type { Prepared } from '../prepared.js';
import { protocolType, toPenstock } from './failure.js';
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
  readonly producer: BatchingProducer;
  readonly marks: MarkTopics;
  place(records: readonly Prepared[]): Promise<readonly Placed[]>;
  isCurrent(lease: Lease): boolean;
  /** Called right after `isCurrent`, in the same turn. */
  send(request: CommitRequest): Promise<void>;
  fault(): PenstockError | undefined;
}

/** The group is being spread anew: the next assignment says whose the partitions are. */
const REBALANCING = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID']);

/**
 * How what was settled becomes durable on Kafka: the records, then the marks, then the offsets. A unit whose partition is no longer held is fenced; what
 * fails is tried again by the committer, without the records that the brokers have already acknowledged.
 */
export class CommitPath {
  /** Acknowledged, while the rest of their write is not. */
  private readonly acknowledged = new WeakSet<Prepared>();
  private open: Promise<void> | undefined;
  private release: (() => void) | undefined;

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
      const written = await this.commit(live);
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

  /** The units whose offsets are durable; what was lost meanwhile is not among them. */
  private async commit(units: readonly WriteUnit[]): Promise<ReadonlySet<WriteUnit>> {
    const written = new Set(units.filter(({ lease, progress }) => lease === undefined || progress === undefined));
    for (;;) {
      while (this.open !== undefined) await this.open;
      // From a turn of its own, so that no part of an assignment can be taken in between the check and the call.
      await new Promise((resolve) => setImmediate(resolve));
      const current = units.filter((unit) => !written.has(unit) && unit.lease !== undefined && this.options.isCurrent(unit.lease));
      if (current.length === 0) return written;
      if (this.open !== undefined) continue;
      try {
        await this.options.send(requestOf(current));
        for (const unit of current) written.add(unit);
        return written;
      } catch (error) {
        if (!REBALANCING.has(protocolType(error) ?? '')) throw toPenstock(error, 'offsets cannot be committed');
        await Promise.race([this.nextChange(), pause(500)]);
      }
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
