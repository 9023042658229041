import { PenstockError } from '../diagnostics/index.js';
import type { Header, LogRecord, Mark, NewRecord } from './transport.js';

/** A record in the shape in which it will lie in the log; its partition may still be open. */
export interface Prepared {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
  readonly timestamp: number;
}

const NO_HEADERS: readonly Header[] = [];

/** The largest value that a log takes, in bytes. */
export const MAX_VALUE_BYTES = 64 * 1024 * 1024;

/** Checks a record and fixes its bytes; throws PS4101 for one that no log could hold. */
export function prepare(record: NewRecord, now: number): Prepared {
  const { topic, partition, key, value, headers, timestamp } = record;
  if (topic === '' || topic.length > 249 || topic.includes('\0')) {
    throw refused(`a topic's name has 1 to 249 characters and no NUL, got ${JSON.stringify(topic.slice(0, 40))}`);
  }
  if (partition !== undefined && !(Number.isInteger(partition) && partition >= 0)) {
    throw refused(`a partition is a whole number from 0, got ${partition}`);
  }
  if (timestamp !== undefined && !Number.isFinite(timestamp)) throw refused(`a timestamp is a number of milliseconds, got ${timestamp}`);
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  if (bytes !== null && bytes.length > MAX_VALUE_BYTES) {
    throw refused(`a value has at most ${MAX_VALUE_BYTES} bytes, got ${bytes.length}`);
  }
  return {
    topic,
    partition,
    key: typeof key === 'string' ? Buffer.from(key) : key,
    value: bytes,
    headers: headers === undefined ? NO_HEADERS : headersOf(headers),
    timestamp: timestamp ?? now,
  };
}

function headersOf(headers: Readonly<Record<string, string>> | readonly Header[]): readonly Header[] {
  if (isList(headers)) return headers;
  return Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)] as const);
}

function isList(headers: Readonly<Record<string, string>> | readonly Header[]): headers is readonly Header[] {
  return Array.isArray(headers);
}

function refused(message: string): PenstockError {
  return new PenstockError('PS4101', `the record cannot be written: ${message}`, { category: 'permanent' });
}

/** What is on a claim, sorted and checked. */
export interface Carry {
  readonly records: readonly Prepared[];
  readonly marks: readonly Mark[];
}

const NOTHING: Carry = { records: [], marks: [] };

/** Sorts what a claim carries; throws PS4101 when something on it cannot be written. */
export function prepareCarried(carried: readonly unknown[], now: number): Carry {
  if (carried.length === 0) return NOTHING;
  const records: Prepared[] = [];
  const marks: Mark[] = [];
  for (const item of carried) {
    if (isKind(item, 'produce')) records.push(prepare((item as { readonly record: NewRecord }).record, now));
    else if (isKind(item, 'mark')) marks.push(item as Mark);
    else throw refused('a claim carries records (`produce`) and marks (`mark`) only');
  }
  return { records, marks };
}

function isKind(item: unknown, kind: string): boolean {
  return typeof item === 'object' && item !== null && (item as { readonly kind?: unknown }).kind === kind;
}

/** The bytes that count against credits. */
export function sizeOf(record: LogRecord): number {
  return record.value === null ? 0 : record.value.length;
}
