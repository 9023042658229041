import type { Origin } from '../../operators/index.js';
import type { LogRecord } from '../transport/transport.js';

/** A message on its way through a worker, with the record it came from. */
export interface Item<M> {
  readonly record: LogRecord;
  /** The record's headers that are text, the last of each name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly message: M;
}

/** The headers of a record as text; bytes that are no UTF-8 are left out here and stay in the record. */
export function textHeaders(record: Pick<LogRecord, 'headers'>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of record.headers) {
    const text = value.toString('utf8');
    if (!text.includes('\uFFFD')) headers[name] = text;
  }
  return headers;
}

/** The record behind whatever a delivery carries at the moment. */
export function recordOf(value: unknown): LogRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if ('record' in value) return recordOf(value.record);
  return 'topic' in value && 'offset' in value && 'headers' in value ? (value as LogRecord) : undefined;
}

/** Where a record lies, as an origin. */
export function originOf(record: LogRecord): Origin {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    key: record.key === null ? undefined : record.key.toString('utf8'),
    headers: textHeaders(record),
    timestamp: record.timestamp,
  };
}
