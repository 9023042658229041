import type { Random } from '../../simulator/random.js';
import type { Beat, BeatAnswer, Change, LogStore, WriteResult, WriteUnit } from '../../transport/log-store.js';
import type { Prepared } from '../../transport/prepared.js';
import type { Progress } from '../../transport/ledger.js';
import type { LogRecord, Marks, PartitionOffsets, TopicSpec } from '../../transport/transport.js';

export interface LineOptions {
  readonly log: LogStore;
  readonly random: Random;
  /** The share of writes that fail. */
  readonly faults: number;
  /** The longest that a write takes, each way, in milliseconds. */
  readonly slowness: number;
  /** Told of what has just become durable, before the process hears of it. */
  onWritten(units: readonly WriteUnit[], results: readonly WriteResult[]): void;
  onGranted(beat: Beat, answer: BeatAnswer): void;
  onGone(group: string, member: string): void;
}

/**
 * One process's line to the log that all share: writes take their time, fail now and then, and come to nothing when the process has crashed, also
 * those that the log has taken but not yet answered.
 */
export class Line implements LogStore {
  readonly leaseMs = undefined;
  /** What the process is a member of. */
  readonly memberships = new Map<string, string>();
  private cut = false;
  private stalledUntil = 0;

  constructor(private readonly options: LineOptions) {}

  /** The process is gone: nothing it asked for is answered any more. */
  break(): void {
    this.cut = true;
  }

  /** Nothing gets through for so long, in milliseconds; then everything that waited does. */
  stall(ms: number): void {
    this.stalledUntil = Math.max(this.stalledUntil, Date.now() + ms);
  }

  /** The log takes the process for dead: what it held is free. */
  async expire(): Promise<void> {
    for (const [group, member] of this.memberships) {
      this.options.onGone(group, member);
      await this.options.log.leave(group, member);
    }
  }

  async write(units: readonly WriteUnit[]): Promise<readonly WriteResult[]> {
    const { log, random, faults, onWritten } = this.options;
    await this.passage();
    if (random.chance(faults)) throw new Error('the log does not take this write');
    const results = await log.write(units);
    onWritten(units, results);
    await this.passage();
    return results;
  }

  async beat(beat: Beat): Promise<BeatAnswer> {
    await this.passage();
    this.memberships.set(beat.group, beat.member);
    const answer = await this.options.log.beat(beat);
    this.options.onGranted(beat, answer);
    await this.passage();
    return answer;
  }

  async leave(group: string, member: string): Promise<void> {
    await this.passage();
    this.memberships.delete(group);
    this.options.onGone(group, member);
    await this.options.log.leave(group, member);
  }

  onChange(listener: (change: Change) => void): () => void {
    return this.options.log.onChange((change) => {
      if (!this.cut) listener(change);
    });
  }

  ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    return this.options.log.ensureTopics(topics);
  }

  topics(): readonly TopicSpec[] {
    return this.options.log.topics();
  }

  identity(topic: string): string {
    return this.options.log.identity(topic);
  }

  bounds(topic: string): readonly PartitionOffsets[] | undefined {
    return this.options.log.bounds(topic);
  }

  end(topic: string, partition: number): number {
    return this.options.log.end(topic, partition);
  }

  read(topic: string, partition: number, from: number): readonly LogRecord[] {
    return this.options.log.read(topic, partition, from);
  }

  progress(group: string, topic: string, partition: number): Progress | undefined {
    return this.options.log.progress(group, topic, partition);
  }

  refusal(record: Prepared): Error | undefined {
    return this.options.log.refusal(record);
  }

  shapeOf(group: string, topics: readonly string[]): string {
    return this.options.log.shapeOf(group, topics);
  }

  marks(store: string, capacity: number): Marks {
    return this.options.log.marks(store, capacity);
  }

  enforceRetention(now: number): Promise<number> {
    return this.options.log.enforceRetention(now);
  }

  /** The log outlives its processes. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The way to the log, or back. */
  private async passage(): Promise<void> {
    const { random, slowness } = this.options;
    const ms = slowness === 0 ? 0 : random.int(0, slowness);
    if (ms > 0) await later(ms);
    while (this.stalledUntil > Date.now()) await later(this.stalledUntil - Date.now());
    if (this.cut) await new Promise(() => undefined);
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
