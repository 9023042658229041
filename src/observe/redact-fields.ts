import { PenstockError } from '../diagnostics/index.js';
import type { Fields } from './logger.js';
import { redactText } from './redact.js';

const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_TEXT = 4096;
const HIDDEN = '[REDACTED]';

/** Keys whose values are never written, in any spelling: `api_key`, `apiKey`, `X-Api-Key`. */
const SECRET_KEY =
  /secret|passw|pwd|token|authorization|api-?_?key|cookie|credential|signature|private-?_?key|access-?_?key|account-?_?key|sas$/i;

/** Names with such words in them that are plain facts. */
const PLAIN_KEY = /^(?:max_|min_)?tokens?_(?:count|bytes|used)$|^signature_version$/i;

/**
 * Fields as they may be written: values of keys that name a secret are hidden, every text is redacted and cut, errors and bytes become plain facts,
 * and nothing is followed deeper than six levels.
 */
export function redactFields(fields: Fields): Record<string, unknown> {
  return object(fields, 0, new Set());
}

function object(source: object, depth: number, above: Set<object>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  let room = MAX_ITEMS;
  for (const [key, value] of Object.entries(source)) {
    if (room === 0) {
      result['…'] = 'more fields were left out';
      break;
    }
    room -= 1;
    result[key] =
      SECRET_KEY.test(key) && !PLAIN_KEY.test(key) && value != null && typeof value !== 'boolean' ? HIDDEN : plain(value, depth + 1, above);
  }
  return result;
}

function plain(value: unknown, depth: number, above: Set<object>): unknown {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (value instanceof URL) return text(value.href);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (above.has(value)) return '[circular]';
  if (depth > MAX_DEPTH) return '[deeper]';
  above.add(value);
  try {
    if (value instanceof Error) return failure(value, depth, above);
    if (Array.isArray(value)) return list(value, depth, above);
    if (value instanceof Map) return object(Object.fromEntries([...value].slice(0, MAX_ITEMS + 1)), depth, above);
    if (value instanceof Set) return list([...value], depth, above);
    return object(value, depth, above);
  } finally {
    above.delete(value);
  }
}

function list(items: readonly unknown[], depth: number, above: Set<object>): unknown[] {
  const kept = items.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1, above));
  if (items.length > MAX_ITEMS) kept.push(`${items.length - MAX_ITEMS} more`);
  return kept;
}

/** An error's facts. Its stack is written only where the error is not one that Penstock names: those say what happened. */
function failure(error: Error, depth: number, above: Set<object>): Record<string, unknown> {
  const facts: Record<string, unknown> = { name: error.name, message: text(error.message) };
  if (error instanceof PenstockError) {
    facts['code'] = error.code;
    facts['category'] = error.category;
    if (error.httpStatus !== undefined) facts['http_status'] = error.httpStatus;
  } else {
    if ('code' in error && (typeof error.code === 'string' || typeof error.code === 'number')) facts['code'] = error.code;
    if (error.stack !== undefined) facts['stack'] = text(error.stack);
  }
  if (error.cause !== undefined) facts['cause'] = plain(error.cause, depth + 1, above);
  return facts;
}

function text(value: string): string {
  const redacted = redactText(value.length > MAX_TEXT * 2 ? value.slice(0, MAX_TEXT * 2) : value);
  return redacted.length <= MAX_TEXT ? redacted : `${redacted.slice(0, MAX_TEXT - 1)}…`;
}
