import { asyncScheduler, type SchedulerLike, type Subscriber, type Subscription } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { PenstockError, categoryOf } from '../diagnostics/index.js';
import type { Row, Table } from '../storage/delta/table.js';
import { type Batch, type Cut, cutOf, recordName } from './table-cut.js';
import { type Entry, type HeldRow, Progress, type TableRow } from './table-progress.js';

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

/** Errors that nobody has classified are tried so often before they count as permanent. */
const UNKNOWN_ATTEMPTS = 5;

/** One subscription of a table writer: the rows it holds, and the commits it makes of them. */
export class Writing {
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
    const cut = cutOf(this.progress, this.bare, {
      recorded: this.recorded,
      units: this.unitsAtOnce,
      bytes: this.maxBytes,
      ending: this.completed || this.draining,
    });
    for (const entry of cut.blocked) this.releaseRows(entry, 'what stands before it was released');
    return cut;
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
