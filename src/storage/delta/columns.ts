import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoredCell, StoredRow } from './cell.js';
import type { Column, ColumnType } from './table.js';

/** One column of a batch in Arrow's layout; its buffers own their memory, so they can be handed to another thread. */
export interface ColumnData {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullCount: number;
  /** A bit a row, lowest first, 1 where there is a value; none when all rows have one. */
  readonly valid: Uint8Array<ArrayBuffer> | undefined;
  /** Text: the UTF-8 bytes one after the other. Boolean: a bit a row. Else one number a row. */
  readonly values: Uint8Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;
  /** Text only: where each row's bytes begin, and the end. */
  readonly offsets: Int32Array<ArrayBuffer> | undefined;
}

/** Rows of a file, turned by ninety degrees. */
export interface ColumnBatch {
  readonly rows: number;
  readonly columns: readonly ColumnData[];
}

/** How long building may hold the event loop before it lets others run, in milliseconds. */
const TURN_MS = 8;

/** Builds a batch of some of the columns; yields to the event loop between columns. `at[i]` is the place of `columns[i]` in a row. */
export async function columnsOf(columns: readonly Column[], at: readonly number[], rows: readonly StoredRow[]): Promise<ColumnBatch> {
  const built: ColumnData[] = [];
  let began = performance.now();
  for (let i = 0; i < columns.length; i += 1) {
    const column = columns[i]!;
    built.push(buildColumn(column.name, column.type, at[i]!, rows));
    if (performance.now() - began < TURN_MS) continue;
    await nextTurn();
    began = performance.now();
  }
  return { rows: rows.length, columns: built };
}

function buildColumn(name: string, type: ColumnType, at: number, rows: readonly StoredRow[]): ColumnData {
  const { valid, nullCount } = validity(at, rows);
  if (type === 'text') return { name, type, nullCount, valid, ...textValues(at, rows) };
  return { name, type, nullCount, valid, values: fixedValues(type, at, rows), offsets: undefined };
}

function validity(at: number, rows: readonly StoredRow[]): { valid: Uint8Array<ArrayBuffer> | undefined; nullCount: number } {
  let nullCount = 0;
  for (const row of rows) if (row[at] === null) nullCount += 1;
  if (nullCount === 0) return { valid: undefined, nullCount };
  const valid = bits(rows.length);
  for (let i = 0; i < rows.length; i += 1) if (rows[i]![at] !== null) setBit(valid, i);
  return { valid, nullCount };
}

function textValues(at: number, rows: readonly StoredRow[]): { values: Uint8Array<ArrayBuffer>; offsets: Int32Array<ArrayBuffer> } {
  const offsets = new Int32Array(rows.length + 1);
  let characters = 0;
  for (const row of rows) if (row[at] !== null) characters += (row[at] as string).length;
  let buffer = Buffer.from(new ArrayBuffer(characters + 64));
  let end = 0;
  for (let i = 0; i < rows.length; i += 1) {
    const text = rows[i]![at] as string | null;
    if (text !== null && text !== '') {
      // most text is ASCII: the exact size is asked for only where the room might not do
      if (end + text.length * 3 > buffer.length) {
        const needed = end + Buffer.byteLength(text);
        if (needed > buffer.length) {
          const larger = Buffer.from(new ArrayBuffer(Math.max(needed, Math.ceil(buffer.length * 1.5))));
          buffer.copy(larger, 0, 0, end);
          buffer = larger;
        }
      }
      end += buffer.write(text, end);
    }
    offsets[i + 1] = end;
  }
  return { values: new Uint8Array(buffer.buffer as ArrayBuffer, 0, end), offsets };
}

function fixedValues(
  type: Exclude<ColumnType, 'text'>,
  at: number,
  rows: readonly StoredRow[],
): Uint8Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  switch (type) {
    case 'boolean': {
      const values = bits(rows.length);
      for (let i = 0; i < rows.length; i += 1) if (rows[i]![at] === true) setBit(values, i);
      return values;
    }
    case 'double': {
      const values = new Float64Array(rows.length);
      for (let i = 0; i < rows.length; i += 1) values[i] = (rows[i]![at] as number | null) ?? 0;
      return values;
    }
    case 'date': {
      const values = new Int32Array(rows.length);
      for (let i = 0; i < rows.length; i += 1) values[i] = (rows[i]![at] as number | null) ?? 0;
      return values;
    }
    case 'int64':
    case 'timestamp': {
      const values = new BigInt64Array(rows.length);
      for (let i = 0; i < rows.length; i += 1) values[i] = (rows[i]![at] as bigint | null) ?? 0n;
      return values;
    }
  }
}

/** The cell of a row; the inverse of building. */
export function cellAt(column: ColumnData, row: number): StoredCell {
  if (column.valid !== undefined && !hasBit(column.valid, row)) return null;
  if (column.offsets !== undefined) {
    const bytes = column.values as Uint8Array<ArrayBuffer>;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8', column.offsets[row], column.offsets[row + 1]);
  }
  if (column.type === 'boolean') return hasBit(column.values as Uint8Array, row);
  return column.values[row]!;
}

/** A bit a row, all 0. */
export function bits(rows: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Math.ceil(rows / 8));
}

export function setBit(bitmap: Uint8Array, row: number): void {
  bitmap[row >> 3]! |= 1 << (row & 7);
}

export function hasBit(bitmap: Uint8Array, row: number): boolean {
  return (bitmap[row >> 3]! & (1 << (row & 7))) !== 0;
}

/** The memory of a batch, each buffer once. */
export function buffersOf(batch: ColumnBatch): readonly ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { values, valid, offsets } of batch.columns) {
    for (const view of [values, valid, offsets]) if (view !== undefined) buffers.add(view.buffer);
  }
  return [...buffers];
}
