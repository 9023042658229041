import type { Origin } from '../../operators/index.js';
import type { LogRecord } from '../transport/transport.js';

/** A message on its way through a worker, with the record it came from. */
export interface Item<M> {
  readonly record: LogRecord;
  /** The record's headers that are text, the last of each name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly message: M;
}

/** Headers that belong to the retry scheme and to the transport; plugins do not see them and publishes do not repeat them. */
export const SCHEME_HEADERS = {
  /** The group that asked for the retry: other groups of the topic let the record pass. */
  group: 'consumer_group',
  retryCount: 'retry_count',
  redeliveredFrom: 'redelivered_from',
  replayed: 'replayed_from_dlq',
  actionsDone: 'actions_done',
  claimCheck: 'claim_check',
  sourceFile: 'source_file',
  sourceLine: 'source_line',
} as const;

const HIDDEN: ReadonlySet<string> = new Set([
  ...Object.values(SCHEME_HEADERS),
  'scheduled_retry_time',
  'retry_delay_seconds',
  'target_topic',
  'worker_type',
  'original_key',
  'error_category',
  'domain',
]);

/** The headers of a record as text; bytes that are no UTF-8 are left out here and stay in the record. */
export function textHeaders(record: Pick<LogRecord, 'headers'>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of record.headers) {
    const text = value.toString('utf8');
    if (!text.includes('\uFFFD')) headers[name] = text;
  }
  return headers;
}

/** The headers that a plugin sees: the record's own. */
export function ownHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const own: Record<string, string> = {};
  for (const name of Object.keys(headers)) if (!HIDDEN.has(name)) own[name] = headers[name]!;
  return own;
}

/** How often the record has been tried before. */
export function retryCountOf(item: { readonly headers: Readonly<Record<string, string>> }): number {
  const count = Number(item.headers[SCHEME_HEADERS.retryCount] ?? 0);
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

/** What comes back from a retry topic or by a replay: it passes the dedupe mark. */
export function isRedelivery(item: { readonly headers: Readonly<Record<string, string>> }): boolean {
  return item.headers[SCHEME_HEADERS.redeliveredFrom] !== undefined || item.headers[SCHEME_HEADERS.replayed] !== undefined;
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
