import { dateText, instantText } from './cell.js';
import { hasBit, type ColumnBatch, type ColumnData } from './columns.js';

/** Statistics are kept of so many leading columns: the protocol's own default. */
const COLUMNS = 32;
/** Bounds of text are cut to so many characters. */
const CHARACTERS = 32;
/** From here on the next whole millisecond would be another year. The protocol lets readers expect bounds that are cut to milliseconds. */
const LAST_MICRO = 253_402_300_799_999_000n;
const LAST_CHARACTER = '\u{10FFFF}';

interface Bounds {
  readonly min?: string | undefined;
  readonly max?: string | undefined;
}

/**
 * A file's statistics as the JSON text of an `add` action (Delta protocol, "Per-file Statistics"): the bounds let readers pass files over, so
 * they may be wider than the values but never narrower. They are written by hand because whole numbers of 64 bits must not go through a double.
 */
export function statisticsOf(batch: ColumnBatch): string {
  const nulls: string[] = [];
  const mins: string[] = [];
  const maxs: string[] = [];
  for (const column of batch.columns.slice(0, COLUMNS)) {
    const name = JSON.stringify(column.name);
    nulls.push(`${name}:${String(column.nullCount)}`);
    if (column.nullCount === batch.rows) continue;
    const { min, max } = boundsOf(column, batch.rows);
    if (min !== undefined) mins.push(`${name}:${min}`);
    if (max !== undefined) maxs.push(`${name}:${max}`);
  }
  return `{"numRecords":${String(batch.rows)},"minValues":{${mins.join()}},"maxValues":{${maxs.join()}},"nullCount":{${nulls.join()}}}`;
}

function boundsOf(column: ColumnData, rows: number): Bounds {
  switch (column.type) {
    case 'boolean':
      return booleanBounds(column, rows);
    case 'text':
      return textBounds(column, rows);
    case 'double':
      return doubleBounds(column, rows);
    case 'int64': {
      const [min, max] = wholeBounds(column, rows, column.values as BigInt64Array);
      return { min: String(min), max: String(max) };
    }
    case 'timestamp': {
      const [min, max] = wholeBounds(column, rows, column.values as BigInt64Array);
      return {
        min: quoted(instantText(wholeMilliseconds(min))),
        max: quoted(instantText(wholeMilliseconds(max < LAST_MICRO ? max + 999n : max))),
      };
    }
    case 'date': {
      const [min, max] = wholeBounds(column, rows, column.values as Int32Array);
      return { min: quoted(dateText(min)), max: quoted(dateText(max)) };
    }
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Bounds of instants are whole milliseconds: the lower one goes down, the upper one up, but not into the year 10000, which has no text. */
function wholeMilliseconds(micros: bigint): bigint {
  return micros - (((micros % 1000n) + 1000n) % 1000n);
}

function wholeBounds<T extends bigint | number>(column: ColumnData, rows: number, values: { readonly [row: number]: T }): readonly [T, T] {
  let min: T | undefined;
  let max: T | undefined;
  for (let row = 0; row < rows; row += 1) {
    if (column.valid !== undefined && !hasBit(column.valid, row)) continue;
    const value = values[row]!;
    if (min === undefined || value < min) min = value;
    if (max === undefined || value > max) max = value;
  }
  return [min!, max!];
}

function booleanBounds(column: ColumnData, rows: number): Bounds {
  const seen = new Set<boolean>();
  for (let row = 0; row < rows; row += 1) {
    if (column.valid === undefined || hasBit(column.valid, row)) seen.add(hasBit(column.values as Uint8Array, row));
  }
  return { min: String(!seen.has(false)), max: String(seen.has(true)) };
}

/** JSON has no infinities, and a NaN is above and below nothing: such a bound is left out. */
function doubleBounds(column: ColumnData, rows: number): Bounds {
  const values = column.values as Float64Array;
  for (let row = 0; row < rows; row += 1) if (Number.isNaN(values[row])) return {};
  const [min, max] = wholeBounds(column, rows, values);
  return { min: Number.isFinite(min) ? String(min) : undefined, max: Number.isFinite(max) ? String(max) : undefined };
}

/** Compared by their bytes, which is the order of code points; JavaScript's own order of text is another one beyond U+FFFF. */
function textBounds(column: ColumnData, rows: number): Bounds {
  const view = column.values as Uint8Array<ArrayBuffer>;
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  const offsets = column.offsets!;
  let min = -1;
  let max = -1;
  for (let row = 0; row < rows; row += 1) {
    if (column.valid !== undefined && !hasBit(column.valid, row)) continue;
    if (min < 0 || isLess(bytes, offsets, row, min)) min = row;
    if (max < 0 || isLess(bytes, offsets, max, row)) max = row;
  }
  const text = (row: number) =>
    leading(bytes.toString('utf8', offsets[row], Math.min(offsets[row + 1]!, offsets[row]! + CHARACTERS * 4 + 4)));
  const least = text(min);
  const most = text(max);
  return { min: quoted(least.text), max: quoted(most.cut ? most.text + LAST_CHARACTER : most.text) };
}

/** Whether a row's bytes come before another's. Texts differ early, mostly: the first bytes are looked at sooner than a call into native code begins. */
function isLess(bytes: Uint8Array, offsets: Int32Array, row: number, other: number): boolean {
  let at = offsets[row]!;
  let otherAt = offsets[other]!;
  const end = offsets[row + 1]!;
  const otherEnd = offsets[other + 1]!;
  while (at < end && otherAt < otherEnd) {
    const difference = bytes[at]! - bytes[otherAt]!;
    if (difference !== 0) return difference < 0;
    at += 1;
    otherAt += 1;
  }
  return at === end && otherAt < otherEnd;
}

function leading(text: string): { readonly text: string; readonly cut: boolean } {
  let end = 0;
  for (let count = 0; count < CHARACTERS && end < text.length; count += 1) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
  return { text: text.slice(0, end), cut: end < text.length };
}
