import {
  asyncScheduler,
  type MonoTypeOperatorFunction,
  Observable,
  type OperatorFunction,
  type SchedulerLike,
  type Subscriber,
  type Subscription,
} from 'rxjs';
import { type Delivery, perMessage } from '../../operators/index.js';
import { PenstockError, categoryOf } from '../diagnostics/index.js';
import type { Row, Table } from '../storage/delta/table.js';
import { type Entry, type HeldRow, type PartitionProgress, Progress, type TableRow } from './table-progress.js';

export type { TableRow } from './table-progress.js';

export interface TableWriterOptions {
  /** The tables by the name that rows call them by. */
  readonly tables: Readonly<Record<string, Table>>;
  /** The application id under which a partition's progress is recorded in the tables; it must hold the identity of the partition's log. */
  readonly appId: (topic: string, partition: number) => string;
  /** Rows wait no longer than this for others, in milliseconds. Defaults to 1000. */
  readonly flushMs?: number;
  /** So many rows are written at once; more go into the next commit. Defaults to 5000. */
  readonly maxRows?: number;
  /** So many bytes of rows are written at once, as far as they can be reckoned. Defaults to 16 MiB. */
  readonly maxBytes?: number;
  /** The clock to wait by. Defaults to `asyncScheduler`. */
  readonly clock?: SchedulerLike;
  /** The first wait after a failure, and the longest, in milliseconds. Default to 250 and 30 000. */
  readonly backoff?: { readonly baseMs: number; readonly capMs: number };
  /** Draws the spread of a wait, from 0 to 1. Defaults to `Math.random`. */
  readonly random?: () => number;
}

export interface TableWriterState {
  /** Rows that wait here, and their bytes. */
  readonly rows: number;
  readonly bytes: number;
  /** Why the last commit failed, while it is tried again. */
  readonly fault: { readonly error: unknown; readonly attempts: number } | undefined;
  /** The deliveries for which rows behind them wait. */
  readonly waitingFor: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: number;
    readonly released: boolean;
  }[];
}

export interface TableWriter {
  /** Stands first behind the source: learns which deliveries there are, in what order, and when their doors are durable. */
  track<T>(): MonoTypeOperatorFunction<Delivery<T>>;
  /**
   * Writes rows and settles them as delivered. One subscription at a time.
   *
   * A commit holds, of each partition, only deliveries before which nothing is missing: each of them has its rows in this commit, or a door that is
   * durable already. So a slow row, or one whose retry record is not yet written, holds back those behind it. Rows that a table records as written
   * are settled and not written again. A row that the table refuses fails alone (`PS4109`). A commit that fails for a passing reason is tried again until it
   * succeeds, while the rows stay here; one that fails for good is cut in halves until the row at fault stands alone and fails.
   *
   * Holds rows up to what the source's credits allow. On completion it writes what it holds and then completes; what waits for a released delivery
   * is released too. Unsubscribing releases what is held.
   */
  write(): OperatorFunction<Delivery<TableRow>, Delivery<TableRow>>;
  /** Writes what may be written now, and from now on waits for nothing that was released: a source that drains does not hand it out again. */
  drain(): void;
  /** The partition went to another member: what it held is let go. Call it when its assignment is lost. */
  lost(topic: string, partition: number): void;
  state(): TableWriterState;
}

/** Errors that nobody has classified are tried so often before they count as permanent. */
const UNKNOWN_ATTEMPTS = 5;

/** A writer of rows into tables, exactly once for each offset of a partition. */
export function tableWriter(options: TableWriterOptions): TableWriter {
  let current: Writing | undefined;
  let draining = false;
  return {
    track: <T>() => perMessage<T>(() => (_value, delivery) => current?.progress.track(delivery) ?? delivery),
    write: () => (source) =>
      new Observable<Delivery<TableRow>>((subscriber) => {
        const writing = new Writing(options, subscriber);
        current = writing;
        if (draining) writing.drain();
        const subscription = source.subscribe({
          next: (delivery) => writing.take(delivery),
          error: (error: unknown) => {
            writing.stop('the source failed');
            subscriber.error(error);
          },
          complete: () => writing.complete(),
        });
        return () => {
          writing.stop('unsubscribed');
          subscription.unsubscribe();
        };
      }),
    drain: () => {
      draining = true;
      current?.drain();
    },
    lost: (topic, partition) => {
      current?.lost(topic, partition);
    },
    state: () => current?.state() ?? { rows: 0, bytes: 0, fault: undefined, waitingFor: [] },
  };
}

/** What goes into one table in one round. */
interface Batch {
  readonly rows: HeldRow[];
  readonly ends: Map<string, { readonly version: number; readonly after: number | undefined }>;
}

interface Cut {
  readonly batches: Map<string, Batch>;
  /** Rows that their table records as written. */
  readonly written: readonly HeldRow[];
  readonly units: number;
}

class Writing {
  readonly progress: Progress;
  private readonly bare: HeldRow[] = [];
  private readonly recorded = new Map<string, number | undefined>();
  private rows = 0;
  private bytes = 0;
  /** What came since the last attempt to write; the rest waits for something else than company. */
  private freshRows = 0;
  private freshBytes = 0;
  private timer: Subscription | undefined;
  private due = false;
  private busy = false;
  private waiting = false;
  private attempts = 0;
  private fault: unknown;
  private unitsAtOnce: number;
  private completed = false;
  private draining = false;
  private stopped = false;

  constructor(
    private readonly options: TableWriterOptions,
    private readonly downstream: Subscriber<Delivery<TableRow>>,
  ) {
    this.progress = new Progress(options.appId, { left: (entry) => this.left(entry) });
    this.unitsAtOnce = this.maxRows;
  }

  private get maxRows(): number {
    return this.options.maxRows ?? 5000;
  }

  private get maxBytes(): number {
    return this.options.maxBytes ?? 16_777_216;
  }

  private get clock(): SchedulerLike {
    return this.options.clock ?? asyncScheduler;
  }

  take(delivery: Delivery<TableRow>): void {
    const { table, row } = delivery.value;
    const target = Object.hasOwn(this.options.tables, table) ? this.options.tables[table] : undefined;
    const refused =
      target === undefined ? new PenstockError('PS7000', `no table is called ${table}`, { category: 'permanent' }) : target.check(row);
    if (refused !== undefined) {
      delivery.fail(refused);
      return;
    }
    const { origin } = delivery;
    const entry = origin === undefined ? undefined : this.progress.arrived(delivery, origin);
    if (origin !== undefined && entry === undefined) {
      const place = `${origin.topic}[${String(origin.partition)}]@${String(origin.offset)}`;
      delivery.fail(
        new PenstockError('PS7000', `${place} reached the table writer without passing its track()`, { category: 'permanent', origin }),
      );
      return;
    }
    const held: HeldRow = { delivery, bytes: bytesOf(row), entry };
    (entry?.rows ?? this.bare).push(held);
    this.rows += 1;
    this.bytes += held.bytes;
    this.freshRows += 1;
    this.freshBytes += held.bytes;
    if (this.freshRows >= this.maxRows || this.freshBytes >= this.maxBytes) this.flush();
    else this.arm();
  }

  /** A delivery's door is durable: what it still holds here belongs to nobody, and those behind it may go on. */
  private left(entry: Entry): void {
    this.drop(entry);
    if (this.stopped || this.rows === 0) this.finishIfDone();
    else if (this.completed || this.draining) this.flush();
  }

  lost(topic: string, partition: number): void {
    const gone = this.progress.forget(topic, partition);
    if (gone !== undefined) for (const entry of gone.open()) this.releaseRows(entry, 'its partition was lost');
    this.finishIfDone();
  }

  drain(): void {
    this.draining = true;
    this.flush();
  }

  complete(): void {
    this.completed = true;
    this.flush();
    this.finishIfDone();
  }

  stop(reason: string): void {
    if (this.stopped) return;
    this.stopped = true;
    this.timer?.unsubscribe();
    for (const partition of this.progress.all()) for (const entry of partition.open()) this.releaseRows(entry, reason);
    for (const { delivery } of this.bare.splice(0)) release(delivery, reason);
  }

  state(): TableWriterState {
    const waitingFor: { topic: string; partition: number; offset: number; released: boolean }[] = [];
    for (const partition of this.progress.all()) {
      let first: Entry | undefined;
      for (const entry of partition.open()) {
        if (entry.state !== 'past' && !entry.ready) first ??= entry;
        if (first === undefined || entry.rows.length === 0) continue;
        const { topic, partition: number } = partition;
        waitingFor.push({ topic, partition: number, offset: first.offset, released: first.state === 'released' });
        break;
      }
    }
    const fault = this.attempts === 0 ? undefined : { error: this.fault, attempts: this.attempts };
    return { rows: this.rows, bytes: this.bytes, fault, waitingFor };
  }

  private arm(): void {
    if (this.timer !== undefined || this.stopped) return;
    this.timer = this.clock.schedule(() => {
      this.timer = undefined;
      this.flush();
    }, this.options.flushMs ?? 1000);
  }

  private flush(): void {
    this.due = true;
    if (this.busy || this.waiting || this.stopped) return;
    this.busy = true;
    void this.rounds().finally(() => {
      this.busy = false;
      if (this.due && !this.waiting && !this.stopped) this.flush();
      else if (this.rows > 0 && !this.waiting) this.arm();
      this.finishIfDone();
    });
  }

  /** Writes until nothing more may be written, or a commit fails. Never rejects. */
  private async rounds(): Promise<void> {
    this.timer?.unsubscribe();
    this.timer = undefined;
    while (this.due && !this.stopped) {
      this.due = false;
      this.freshRows = 0;
      this.freshBytes = 0;
      for (let more = true; more && !this.stopped; ) more = await this.round();
    }
  }

  private async round(): Promise<boolean> {
    let cut: Cut | undefined;
    try {
      await this.lookUpRecorded();
      if (this.stopped) return false;
      cut = this.cut();
      this.settle(cut.written);
      for (const [table, batch] of cut.batches) await this.commit(table, batch);
    } catch (error) {
      this.failed(error, cut);
      return !this.waiting;
    }
    if (cut.units === 0 && this.rows > 0) return false;
    this.attempts = 0;
    this.fault = undefined;
    if (cut.units === 0) return false;
    this.unitsAtOnce = Math.min(this.maxRows, this.unitsAtOnce * 2);
    return true;
  }

  private async commit(table: string, { rows, ends }: Batch): Promise<void> {
    const txns = [...ends].map(([appId, { version, after }]) => ({ appId, version, after }));
    await this.options.tables[table]!.commit({ rows: rows.map(({ delivery }) => delivery.value.row), txns });
    for (const [appId, { version }] of ends) this.recorded.set(recordName(table, appId), version);
    this.settle(rows);
  }

  /** Asks the tables how far the partitions got, where this is not known. */
  private async lookUpRecorded(): Promise<void> {
    for (const { appId, table } of this.unknownRecords()) {
      this.recorded.set(recordName(table, appId), await this.options.tables[table]!.txn(appId));
    }
  }

  private unknownRecords(): readonly { readonly appId: string; readonly table: string }[] {
    const unknown = new Map<string, { appId: string; table: string }>();
    for (const partition of this.progress.all()) {
      for (const entry of partition.open()) {
        for (const { delivery } of entry.rows) {
          const name = recordName(delivery.value.table, partition.appId);
          if (!this.recorded.has(name)) unknown.set(name, { appId: partition.appId, table: delivery.value.table });
        }
      }
    }
    return [...unknown.values()];
  }

  private cut(): Cut {
    const room = { units: this.unitsAtOnce, bytes: this.maxBytes };
    const batches = new Map<string, Batch>();
    const written: HeldRow[] = [];
    for (const held of this.bare) {
      if (room.units <= 0 || room.bytes <= 0) break;
      room.units -= 1;
      room.bytes -= held.bytes;
      batchOf(batches, held.delivery.value.table).rows.push(held);
    }
    for (const partition of this.progress.all()) this.cutPartition(partition, room, batches, written);
    return { batches, written, units: this.unitsAtOnce - room.units };
  }

  private cutPartition(
    partition: PartitionProgress,
    room: { units: number; bytes: number },
    batches: Map<string, Batch>,
    written: HeldRow[],
  ): void {
    const ending = this.completed || this.draining;
    let blocked = false;
    for (const entry of partition.open()) {
      if (entry.state === 'past') continue;
      if (blocked) {
        this.releaseRows(entry, 'what stands before it was released');
        continue;
      }
      if (!entry.ready) {
        if (!ending || entry.state !== 'released') return;
        blocked = true; // it does not come again, and nothing may be written past it
        continue;
      }
      if (room.units <= 0 || room.bytes <= 0) return;
      let fresh = false;
      for (const held of entry.rows) {
        const { table } = held.delivery.value;
        const after = this.recorded.get(recordName(table, partition.appId));
        if (after !== undefined && entry.offset < after) {
          written.push(held);
          continue;
        }
        if (!this.recorded.has(recordName(table, partition.appId))) return; // it came while records were looked up
        fresh = true;
        room.bytes -= held.bytes;
        const batch = batchOf(batches, table);
        batch.rows.push(held);
        batch.ends.set(partition.appId, { version: entry.offset + 1, after });
      }
      if (fresh) room.units -= 1;
    }
  }

  /** Rows are durable: their entries are past, their deliveries are delivered and go on. */
  private settle(rows: readonly HeldRow[]): void {
    for (const held of rows) {
      const { delivery, entry } = held;
      if (entry === undefined) this.forgetBare(held);
      else {
        const at = entry.rows.indexOf(held);
        if (at >= 0) {
          entry.rows.splice(at, 1);
          this.count(held);
        }
        if (entry.rows.length === 0) entry.state = 'past';
      }
      if (delivery.outcome !== undefined) continue;
      delivery.settle('delivered');
      this.downstream.next(delivery);
    }
  }

  private forgetBare(held: HeldRow): void {
    const at = this.bare.indexOf(held);
    if (at < 0) return;
    this.bare.splice(at, 1);
    this.count(held);
  }

  private failed(error: unknown, cut: Cut | undefined): void {
    this.recorded.clear(); // the tables are asked again how far they got
    if (this.stopped) return;
    const category = categoryOf(error);
    this.attempts += 1;
    this.fault = error;
    if (cut !== undefined && (category === 'permanent' || (category === 'unknown' && this.attempts > UNKNOWN_ATTEMPTS))) {
      if (cut.units > 1) this.unitsAtOnce = Math.ceil(cut.units / 2);
      else this.refuse(cut, error);
      return;
    }
    this.waiting = true;
    this.timer?.unsubscribe();
    this.timer = this.clock.schedule(() => {
      this.timer = undefined;
      this.waiting = false;
      this.flush();
    }, this.waitMs());
  }

  /** The one delivery of this cut cannot be written. */
  private refuse({ batches }: Cut, error: unknown): void {
    this.attempts = 0;
    this.fault = undefined;
    for (const { rows } of batches.values()) {
      for (const held of rows) {
        if (held.entry === undefined) this.forgetBare(held);
        else {
          const at = held.entry.rows.indexOf(held);
          if (at < 0) continue;
          held.entry.rows.splice(at, 1);
          this.count(held);
        }
        const reason = `the row could not be written into ${held.delivery.value.table}`;
        held.delivery.fail(new PenstockError('PS4109', reason, { category: 'permanent', cause: error, origin: held.delivery.origin }));
      }
    }
  }

  /** Equal jitter: half of the wait is certain, the rest is drawn. */
  private waitMs(): number {
    const { baseMs, capMs } = this.options.backoff ?? { baseMs: 250, capMs: 30_000 };
    const full = Math.min(capMs, baseMs * 2 ** Math.min(this.attempts - 1, 30));
    return full / 2 + (full / 2) * (this.options.random ?? Math.random)();
  }

  private drop(entry: Entry): void {
    for (const held of entry.rows.splice(0)) this.count(held);
  }

  private releaseRows(entry: Entry, reason: string): void {
    const rows = entry.rows.splice(0);
    for (const held of rows) this.count(held);
    for (const { delivery } of rows) release(delivery, reason);
  }

  private count({ bytes }: HeldRow): void {
    this.rows -= 1;
    this.bytes -= bytes;
  }

  private finishIfDone(): void {
    if (!this.completed || this.stopped || this.busy || this.rows > 0) return;
    this.stopped = true;
    this.timer?.unsubscribe();
    this.downstream.complete();
  }
}

/**
 * Throws `PS3004` when a partition's log ends before what a table records of it: somebody has put an older log in place, and new deliveries would pass for
 * ones that are written already. `ends` are the offsets that the partitions' next records will get. Ask this before a writer starts.
 */
export async function checkLogEnds(
  { tables, appId }: Pick<TableWriterOptions, 'tables' | 'appId'>,
  ends: readonly { readonly topic: string; readonly partition: number; readonly end: number }[],
): Promise<void> {
  for (const { topic, partition, end } of ends) {
    for (const table of Object.values(tables)) {
      const recorded = await table.txn(appId(topic, partition));
      if (recorded === undefined || recorded <= end) continue;
      throw new PenstockError(
        'PS3004',
        `table ${table.schema.name} has rows of ${topic}[${String(partition)}] up to offset ${String(recorded)}, the log ends at ${String(end)}`,
        {
          category: 'permanent',
          help: 'put the newer log back, or give the topic a new identity by making it again',
        },
      );
    }
  }
}

function batchOf(batches: Map<string, Batch>, table: string): Batch {
  let batch = batches.get(table);
  if (batch === undefined) {
    batch = { rows: [], ends: new Map() };
    batches.set(table, batch);
  }
  return batch;
}

function recordName(table: string, appId: string): string {
  return `${table}\n${appId}`;
}

function bytesOf(row: Row): number {
  let bytes = 0;
  for (const name in row) {
    const cell = row[name];
    bytes += typeof cell === 'string' ? cell.length : 8;
  }
  return bytes;
}

function release(delivery: Delivery<unknown>, reason: string): void {
  if (delivery.outcome === undefined) delivery.settle('released', reason);
}
