import { PenstockError } from '../../diagnostics/index.js';
import type { Cell, Column, ColumnType } from './table.js';

/** A cell as it lies in a file: instants are microseconds since 1970, dates are days since 1970. */
export type StoredCell = string | number | bigint | boolean | null;

/** A row as it lies in a file: its cells in the order of the schema's columns. */
export type StoredRow = readonly StoredCell[];

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const DAY_MS = 86_400_000;
const INSTANT = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:([Zz])|([+-])(\d\d):?(\d\d)?)?$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
/** The first and last day that every reader of the format can name. */
const FIRST_DAY = -719_162;
const LAST_DAY = 2_932_896;

const EXPECTED: Readonly<Record<ColumnType, string>> = {
  text: 'text',
  int64: 'a whole number of at most 64 bits',
  double: 'a number',
  boolean: 'true or false',
  timestamp: 'an instant (a Date, or ISO text of the years 0001 to 9999)',
  date: 'a date as YYYY-MM-DD of the years 0001 to 9999',
};

/**
 * Turns a cell into its stored form. Text without an offset is taken as UTC, fractions beyond microseconds are cut.
 * Throws a permanent `PS4109` that names the column when the cell does not fit.
 */
export function storeCell(column: Column, cell: Cell | undefined): StoredCell {
  if (cell === null || cell === undefined) return null;
  const stored = store(column.type, cell);
  if (stored !== undefined) return stored;
  throw new PenstockError('PS4109', `column ${column.name} expects ${EXPECTED[column.type]}, found ${found(cell)}`, {
    category: 'permanent',
  });
}

function store(type: ColumnType, cell: string | number | bigint | boolean | Date): StoredCell | undefined {
  switch (type) {
    case 'text':
      return typeof cell === 'string' ? cell : undefined;
    case 'boolean':
      return typeof cell === 'boolean' ? cell : undefined;
    case 'double':
      return typeof cell === 'number' ? cell : undefined;
    case 'int64':
      if (typeof cell === 'number') return Number.isSafeInteger(cell) ? BigInt(cell) : undefined;
      return typeof cell === 'bigint' && cell >= INT64_MIN && cell <= INT64_MAX ? cell : undefined;
    case 'timestamp':
      if (cell instanceof Date) return microsOf(cell.getTime());
      return typeof cell === 'string' ? instantOf(cell) : undefined;
    case 'date':
      return typeof cell === 'string' ? dayOf(cell) : undefined;
  }
}

function found(cell: Cell): string {
  if (cell instanceof Date) return `the Date ${String(cell.getTime())}`;
  if (typeof cell === 'string') return `the text ${JSON.stringify(cell.length > 40 ? `${cell.slice(0, 40)}…` : cell)}`;
  return `the ${typeof cell} ${String(cell)}`;
}

function microsOf(milliseconds: number): bigint | undefined {
  if (!(milliseconds >= FIRST_DAY * DAY_MS && milliseconds < (LAST_DAY + 1) * DAY_MS)) return undefined;
  return BigInt(Math.floor(milliseconds)) * 1000n;
}

function instantOf(text: string): bigint | undefined {
  const parts = INSTANT.exec(text);
  if (parts === null) return undefined;
  const day = dayNumber(Number(parts[1]), Number(parts[2]), Number(parts[3]));
  const [hour, minute, second] = [Number(parts[4]), Number(parts[5]), Number(parts[6] ?? 0)];
  if (day === undefined || hour > 23 || minute > 59 || second > 59) return undefined;
  const offsetHours = Number(parts[10] ?? 0);
  const offsetMinutes = Number(parts[11] ?? 0);
  if (offsetHours > 23 || offsetMinutes > 59) return undefined;
  const offset = (offsetHours * 60 + offsetMinutes) * (parts[9] === '-' ? -60 : 60);
  const milliseconds = day * DAY_MS + (hour * 3600 + minute * 60 + second - offset) * 1000;
  const whole = microsOf(milliseconds);
  return whole === undefined ? undefined : whole + BigInt((parts[7] ?? '').slice(0, 6).padEnd(6, '0'));
}

function dayOf(text: string): number | undefined {
  const parts = DATE.exec(text);
  return parts === null ? undefined : dayNumber(Number(parts[1]), Number(parts[2]), Number(parts[3]));
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Days since 1970 of a date of the Gregorian calendar, counted without a `Date`: this runs several times a row. */
function dayNumber(year: number, month: number, day: number): number | undefined {
  if (year === 0 || month < 1 || month > 12 || day < 1) return undefined;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day > (month === 2 && leap ? 29 : MONTH_DAYS[month - 1]!)) return undefined;
  // years begin in March, so that the leap day is a year's last
  const counted = month > 2 ? year : year - 1;
  const era = Math.floor(counted / 400);
  const ofEra = counted - era * 400;
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

/** A stored instant as ISO text: milliseconds, or microseconds where there are some. */
export function instantText(micros: bigint): string {
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  const text = new Date(Number((micros - rest) / 1000n)).toISOString();
  return rest === 0n ? text : `${text.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

/** A stored date as `YYYY-MM-DD`. */
export function dateText(days: number): string {
  return new Date(days * DAY_MS).toISOString().slice(0, 10);
}

/** What a reader of the table gets: whole numbers as number where they are exact, instants as ISO text in UTC, dates as text. */
export function readCell(type: ColumnType, stored: StoredCell): Cell {
  if (stored === null) return null;
  if (type === 'timestamp') return instantText(stored as bigint);
  if (type === 'date') return dateText(stored as number);
  if (type === 'int64') return Number.isSafeInteger(Number(stored)) ? Number(stored) : stored;
  return stored;
}
