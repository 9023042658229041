import { randomUUID } from 'node:crypto';
import { readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncDirectory, writeDurable } from '../durable-file.js';
import type { AddAction } from './actions.js';
import { storeCell, type StoredCell, type StoredRow } from './cell.js';
import { cellAt, columnsOf } from './columns.js';
import type { ParquetEncoder } from './encoder.js';
import type { LiveFile } from './log-state.js';
import { diskPath, logPath, partitionCell, partitionDirectory, partitionText } from './partition.js';
import { statisticsOf } from './statistics.js';
import type { Column, TableSchema } from './table.js';

/** A file holds no more rows than this: what a reader must take at once stays small. */
const ROWS_PER_FILE = 50_000;

/** The Parquet files of one table. */
export class DataFiles {
  private readonly stored: readonly number[];
  private readonly partitions: readonly number[];
  private readonly made = new Set<string>();

  constructor(
    private readonly directory: string,
    private readonly schema: TableSchema,
    private readonly encoder: ParquetEncoder,
    private readonly now: () => number,
  ) {
    this.partitions = schema.partitionBy.map((name) => schema.columns.findIndex((column) => column.name === name));
    this.stored = schema.columns.map((_, at) => at).filter((at) => !this.partitions.includes(at));
  }

  /** Writes rows into new files, durably; `rowsOf` says which rows went into which. */
  async write(rows: readonly StoredRow[]): Promise<readonly { readonly add: AddAction; readonly rows: readonly StoredRow[] }[]> {
    const groups = new Map<StoredCell, StoredRow[]>();
    for (const row of rows) {
      const key = this.groupOf(row);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [row]);
      else group.push(row);
    }
    const files: { add: AddAction; rows: readonly StoredRow[] }[] = [];
    for (const group of groups.values()) {
      for (let start = 0; start < group.length; start += ROWS_PER_FILE) {
        const part = group.length <= ROWS_PER_FILE ? group : group.slice(start, start + ROWS_PER_FILE);
        files.push({ add: await this.writeFile(part, files.length), rows: part });
      }
    }
    return files;
  }

  /** What rows of one partition share. */
  private groupOf(row: StoredRow): StoredCell {
    if (this.partitions.length === 0) return null;
    if (this.partitions.length === 1) return row[this.partitions[0]!]!;
    return this.partitions.map((at) => JSON.stringify(partitionText(this.schema.columns[at]!.type, row[at]!))).join();
  }

  private async writeFile(rows: readonly StoredRow[], number: number): Promise<AddAction> {
    const columns = this.schema.columns;
    const batch = await columnsOf(
      this.stored.map((at) => columns[at]!),
      this.stored,
      rows,
    );
    const stats = statisticsOf(batch);
    const bytes = await this.encoder.encode(batch);
    const values = this.partitions.map((at) => partitionText(columns[at]!.type, rows[0]![at]!));
    const below = partitionDirectory(
      this.partitions.map((at) => columns[at]!),
      values,
    );
    const directory = join(this.directory, below);
    if (!this.made.has(below)) await makeDirectory(directory);
    if (this.made.size > 10_000) this.made.clear(); // only a memory of what need not be asked again
    this.made.add(below);
    const name = `part-${String(number).padStart(5, '0')}-${randomUUID()}-c000.${this.encoder.suffix}`;
    await writeDurable(join(directory, name), bytes);
    await syncDirectory(directory);
    return {
      path: logPath(below === '' ? name : `${below}/${name}`),
      partitionValues: Object.fromEntries(this.schema.partitionBy.map((column, i) => [column, values[i]!])),
      size: bytes.byteLength,
      modificationTime: this.now(),
      dataChange: true,
      stats,
    };
  }

  /** Some cells of a file's rows, in the order in which the places `at` are given. */
  async read(file: LiveFile, at: readonly number[]): Promise<readonly StoredRow[]> {
    const columns = this.schema.columns;
    const asked = at.filter((place) => !this.partitions.includes(place));
    const path = join(this.directory, diskPath(file.path));
    const fixed = new Map<number, StoredCell>();
    for (const place of at) {
      if (this.partitions.includes(place)) fixed.set(place, partitionValue(columns[place]!, file));
    }
    if (asked.length === 0 && file.rows !== undefined) {
      return Array.from({ length: file.rows }, () => at.map((place) => fixed.get(place)!));
    }
    const batch = await this.encoder.decode(
      await readFile(path),
      (asked.length === 0 ? [this.stored[0]!] : asked).map((place) => columns[place]!),
    );
    const sources = at.map((place) => (fixed.has(place) ? undefined : batch.columns[asked.indexOf(place)]!));
    const rows: StoredRow[] = [];
    for (let row = 0; row < batch.rows; row += 1) {
      rows.push(at.map((place, i) => (sources[i] === undefined ? fixed.get(place)! : cellAt(sources[i], row))));
    }
    return rows;
  }

  /** Takes a file away that no commit names. */
  async discard(path: string): Promise<void> {
    await unlink(join(this.directory, diskPath(path)));
  }

  async exists(path: string): Promise<boolean> {
    return stat(join(this.directory, diskPath(path))).then(
      () => true,
      () => false,
    );
  }
}

function partitionValue(column: Column, file: LiveFile): StoredCell {
  return storeCell(column, partitionCell(column.type, file.partitionValues[column.name]));
}
