import { createHash } from 'node:crypto';
import { dateText, type StoredCell } from './cell.js';
import type { Column, ColumnType } from './table.js';

/** The name that Hive gave to the directory of rows without a value. */
const NONE = '__HIVE_DEFAULT_PARTITION__';
/** What may not stand in a directory's name: Hive's own list, and control characters. */
const ESCAPED = /["#%'*/:=?\\{}[\]^\p{Cc}]/gu;
/** Most file systems end a name at 255 bytes. */
const LONGEST = 200;

/** The text by which a partition's value stands in the log; null and nothing are the same. */
export function partitionText(type: ColumnType, cell: StoredCell): string | null {
  if (cell === null) return null;
  if (type === 'date') return dateText(cell as number);
  return String(cell);
}

/** The inverse of `partitionText`, as a cell that `storeCell` takes. */
export function partitionCell(type: ColumnType, text: string | null | undefined): string | bigint | boolean | null {
  if (text === null || text === undefined || text === '') return null;
  if (type === 'int64') return BigInt(text);
  return type === 'boolean' ? text === 'true' : text;
}

/**
 * The directory of a partition below the table, as it is called on disk: `column=value`, escaped as Hive does. A value too long for a name is
 * replaced by its digest; readers take values from the log, never from names.
 */
export function partitionDirectory(columns: readonly Column[], values: readonly (string | null)[]): string {
  return columns.map((column, i) => segment(column.name, values[i]!)).join('/');
}

function segment(name: string, value: string | null): string {
  const escaped = `${escapeName(name)}=${value === null ? NONE : escapeName(value)}`;
  if (Buffer.byteLength(escaped) <= LONGEST) return escaped;
  return `${escapeName(name)}=~${createHash('sha256')
    .update(value ?? '')
    .digest('hex')}`;
}

function escapeName(text: string): string {
  return text.replace(ESCAPED, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** A path on disk as the log writes it: a URI, so percent signs of the name are encoded again. */
export function logPath(diskPath: string): string {
  return diskPath
    .split('/')
    .map((part) => encodeURIComponent(part).replaceAll('%3D', '='))
    .join('/');
}

/** The path on disk that a path of the log means. */
export function diskPath(path: string): string {
  return path.split('/').map(decodeURIComponent).join('/');
}
