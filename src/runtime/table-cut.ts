import type { Entry, HeldRow, PartitionProgress, Progress } from './table-progress.js';

/** What goes into one table in one commit. */
export interface Batch {
  readonly rows: HeldRow[];
  /** For each partition among the rows: the next offset, and the recorded one that the rows were chosen against. */
  readonly ends: Map<string, { readonly version: number; readonly after: number | undefined }>;
}

/** What may be written now. */
export interface Cut {
  readonly batches: ReadonlyMap<string, Batch>;
  /** Rows that their table records as written. */
  readonly written: readonly HeldRow[];
  /** Deliveries behind one that was released and does not come again. */
  readonly blocked: readonly Entry[];
  /** Deliveries in the batches. */
  readonly units: number;
}

export interface CutOptions {
  /** What tables record of partitions, by `recordName`; a table that was not asked yet has no entry. */
  readonly recorded: ReadonlyMap<string, number | undefined>;
  /** The most deliveries, and the most bytes; the delivery that passes the limit is still in. */
  readonly units: number;
  readonly bytes: number;
  /** Nothing that was released comes again. */
  readonly ending: boolean;
}

/** The name under which a table's record of a partition is kept. */
export function recordName(table: string, appId: string): string {
  return `${table}\n${appId}`;
}

/** Chooses, of each partition, the deliveries from its first on before which nothing is missing; and rows of a bare pipe. */
export function cutOf(progress: Progress, bare: readonly HeldRow[], options: CutOptions): Cut {
  const cutting = new Cutting(options);
  for (const held of bare) {
    if (cutting.full) break;
    cutting.take([held], undefined);
  }
  for (const partition of progress.all()) cutting.partition(partition);
  return cutting;
}

class Cutting implements Cut {
  readonly batches = new Map<string, Batch>();
  readonly written: HeldRow[] = [];
  readonly blocked: Entry[] = [];
  units = 0;
  private bytes = 0;

  constructor(private readonly options: CutOptions) {}

  get full(): boolean {
    return this.units >= this.options.units || this.bytes >= this.options.bytes;
  }

  partition(partition: PartitionProgress): void {
    const { ending, recorded } = this.options;
    let blocked = false;
    for (const entry of partition.open()) {
      if (entry.state === 'past') continue;
      if (blocked) {
        this.blocked.push(entry);
        continue;
      }
      if (!entry.ready) {
        if (!ending || entry.state !== 'released') return;
        blocked = true; // nothing may be written past it
        continue;
      }
      // a row may have come while the tables were asked about others
      if (this.full || entry.rows.some(({ delivery }) => !recorded.has(recordName(delivery.value.table, partition.appId)))) return;
      const fresh = entry.rows.filter((held) => {
        const after = recorded.get(recordName(held.delivery.value.table, partition.appId));
        return after === undefined || entry.offset >= after;
      });
      for (const held of entry.rows) if (!fresh.includes(held)) this.written.push(held);
      this.take(fresh, { appId: partition.appId, version: entry.offset + 1 });
    }
  }

  take(rows: readonly HeldRow[], end: { readonly appId: string; readonly version: number } | undefined): void {
    if (rows.length > 0) this.units += 1;
    for (const held of rows) {
      const { table } = held.delivery.value;
      this.bytes += held.bytes;
      let batch = this.batches.get(table);
      if (batch === undefined) {
        batch = { rows: [], ends: new Map() };
        this.batches.set(table, batch);
      }
      batch.rows.push(held);
      if (end !== undefined)
        batch.ends.set(end.appId, { version: end.version, after: this.options.recorded.get(recordName(table, end.appId)) });
    }
  }
}
