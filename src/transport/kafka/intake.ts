import type { EachBatchPayload } from 'kafkajs';
import type { PenstockError } from '../../diagnostics/index.js';
import { nameOf } from '../balance.js';
import type { PartitionName } from '../log-store.js';
import type { LogRecord } from '../transport.js';
import { type Held, isAnother } from './held-partition.js';
import type { ReadAhead } from './partition-buffer.js';
import { recordOf } from './record.js';
import type { Session } from './session.js';
import type { KafkaSettings } from './settings.js';
import type { TopicDirectory } from './topic-directory.js';

export interface IntakeOptions {
  readonly settings: Pick<KafkaSettings, 'readAhead' | 'fetchWaitMs'>;
  readonly directory: Pick<TopicDirectory, 'offsets' | 'topicIds'>;
  /** Whose client fetches; undefined between two sessions. */
  session(): Pick<Session, 'seek' | 'pause' | 'resume'> | undefined;
  /** There is something to read. */
  arrived(): void;
  /** The log ends before what was read of it. */
  cut(held: Held, end: number): void;
  /** The topic is another one under the same name. */
  madeAnew(topic: string): void;
  /** So many records that come next are not there any more. */
  removed(held: Held, count: number, start: number): void;
  /** The client has overwritten the group's offset of the partition. */
  overwritten(held: Held): void;
  /** It cannot be found out where a partition goes on. */
  lost(error: PenstockError): void;
}

const LEAST_AHEAD_BYTES = 64 * 1024;

/**
 * The partitions that a member holds, and what was fetched of each and not yet read. The client fetches into buffers here and never waits for a
 * delivery. When a buffer is full, the client is held for as long as an empty fetch would last, and no longer than until some buffer has room; only then
 * is the partition paused: a client whose partitions are all paused sleeps, and does not wake when one is resumed.
 */
export class Intake {
  /** The most bytes that may be in flight: no partition reads further ahead than its share of it. */
  creditBytes = 0;
  private readonly partitions = new Map<string, Held>();
  private readonly holds = new Set<() => void>();

  constructor(private readonly options: IntakeOptions) {}

  get all(): readonly Held[] {
    return [...this.partitions.values()];
  }

  of(partition: PartitionName): Held | undefined {
    return this.partitions.get(nameOf(partition));
  }

  /** From now on the partition is fetched, from this offset on. */
  begin(held: Held, offset: number): void {
    this.partitions.set(nameOf(held), held);
    this.options.session()?.seek(held, offset);
    this.options.session()?.resume(held);
  }

  /** What was fetched of the partition is dropped, and nothing more is taken. */
  forget(partition: PartitionName): void {
    this.partitions.delete(nameOf(partition));
  }

  clear(): void {
    this.partitions.clear();
    this.goOn();
  }

  read(topic: string, partition: number, from: number): readonly LogRecord[] {
    const held = this.of({ topic, partition });
    if (held === undefined) return [];
    let records: readonly LogRecord[] = [];
    while (records.length === 0 && held.buffer.length > 0) records = held.buffer.take(from);
    if (held.buffer.hasRoom(this.readAhead())) {
      if (held.paused) {
        held.paused = false;
        held.movedAt = Date.now();
        this.options.session()?.resume(held);
      }
      this.goOn();
    }
    return records;
  }

  /** Puts away what a fetch has brought; a promise holds the client. */
  take({ batch, resolveOffset }: Pick<EachBatchPayload, 'batch' | 'resolveOffset'>): Promise<void> | undefined {
    const { topic, partition } = batch;
    const held = this.of({ topic, partition });
    if (held === undefined || held.straying) return undefined;
    const fetchedFrom = Number((batch as unknown as { readonly fetchedOffset: string }).fetchedOffset);
    if (fetchedFrom !== held.buffer.next) {
      // The client went elsewhere, as it does when there is nothing at our position. What it brings may be of another log, or leave records out.
      void this.find(held);
      return undefined;
    }
    const last = Number(batch.lastOffset());
    held.buffer.put(
      batch.messages.map((message) => recordOf(topic, partition, message)),
      last + 1,
    );
    held.end = Math.max(Number(batch.highWatermark), last + 1);
    held.movedAt = Date.now();
    try {
      resolveOffset(String(last));
    } catch {
      // The assignment has just changed under the client; the position is set by a seek.
      this.options.session()?.seek(held, held.buffer.next);
    }
    this.options.arrived();
    return held.buffer.isOver(this.readAhead()) ? this.hold(held) : undefined;
  }

  /** What was fetched holds no record to be read: control records, those of a transaction that was aborted, or what compaction has left of a batch. */
  passOver(partition: PartitionName, first: number | undefined, last: number): void {
    const held = this.of(partition);
    if (held === undefined || held.straying || last < held.buffer.next) return;
    // The client may have gone elsewhere: then it has to be found out what lies between.
    if ((first ?? last) > held.buffer.next) {
      void this.find(held, last + 1);
      return;
    }
    this.goOnFrom(held, last + 1);
  }

  /** There is nothing to read below the offset, and the client does not find that out by itself. */
  skip(held: Held, offset: number): void {
    if (this.of(held) !== held || held.straying || offset <= held.buffer.next) return;
    this.options.session()?.seek(held, offset);
    this.goOnFrom(held, offset);
  }

  private goOnFrom(held: Held, offset: number): void {
    held.buffer.next = offset;
    held.movedAt = Date.now();
    this.options.arrived();
  }

  private async hold(held: Held): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.holds.delete(end);
        resolve();
      };
      const timer = setTimeout(end, this.options.settings.fetchWaitMs);
      this.holds.add(end);
    });
    if (this.of(held) !== held || !held.buffer.isOver(this.readAhead())) return;
    held.paused = true;
    this.options.session()?.pause(held);
  }

  private goOn(): void {
    for (const end of this.holds) end();
  }

  /** Finds out why the client went elsewhere, and where the partition goes on: not before `seen`, up to which it has found no records on its way. */
  private async find(held: Held, seen = 0): Promise<void> {
    const { topic, partition, buffer } = held;
    const { directory, session, cut, madeAnew, removed, overwritten, lost } = this.options;
    held.straying = true;
    session()?.pause(held);
    try {
      const [bounds, ids] = await Promise.all([directory.offsets(topic), directory.topicIds([topic])]);
      if (this.of(held) !== held) return;
      if (isAnother(held, ids.get(topic))) return madeAnew(topic);
      const { start, end } = bounds[partition]!;
      if (end < buffer.next) return cut(held, end);
      if (start > buffer.next) removed(held, start - buffer.next, start);
      held.end = end;
      buffer.next = Math.max(buffer.next, start, seen);
      session()?.seek(held, buffer.next);
      held.straying = false;
      if (!held.paused) session()?.resume(held);
      overwritten(held);
    } catch (error) {
      lost(error as PenstockError);
    }
  }

  private readAhead(): ReadAhead {
    const { records, bytes } = this.options.settings.readAhead;
    return { records, bytes: Math.min(bytes, Math.max(LEAST_AHEAD_BYTES, this.creditBytes / Math.max(1, this.partitions.size))) };
  }
}
