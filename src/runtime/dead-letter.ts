import { z } from 'zod';
import { CATEGORIES, PenstockError, categoryOf } from '../diagnostics/index.js';
import type { Header, LogRecord, NewRecord } from '../transport/transport.js';
import { capErrorText } from './error-text.js';
import { SCHEME_HEADERS } from './retry-policy.js';

/** Why a message was given up; plugins at `error` may add reasons of their own. */
export type DeadLetterReason =
  | 'permanent'
  | 'max_retries_exceeded'
  | 'unreadable'
  | 'unfit_row'
  | 'action_failed'
  | 'missing_headers'
  | 'invalid_retry_count'
  | 'invalid_time'
  | 'unknown_target'
  | (string & {});

const header = z.object({ name: z.string(), value: z.string().optional(), base64: z.string().optional() });

/** The one envelope of every dead letter of every domain; what a domain adds about its message stands beside these members. */
export const deadLetter = z.looseObject({
  reason: z.string(),
  domain: z.string(),
  worker: z.string(),
  consumer_group: z.string().nullable(),
  error_code: z.string().nullable(),
  error_category: z.enum(CATEGORIES),
  final_error: z.string(),
  http_status: z.int().nullable(),
  retry_count: z.int().min(0),
  failed_at: z.string(),
  trace_id: z.string().nullable(),
  /** The message as it was read; null when it could not be. */
  original_task: z.unknown(),
  original_topic: z.string().nullable(),
  original_partition: z.int().nullable(),
  original_offset: z.int().nullable(),
  /** Base64; null when the record had no key. */
  original_key: z.string().nullable(),
  original_headers: z.array(header),
  original_timestamp: z.string().nullable(),
  /** The record's bytes in base64; null when it had no value. */
  original_value: z.string().nullable(),
  /** Of bytes that are too many for a letter: the file among the claims that has them, how many they are, and their SHA-256. */
  original_file: z.string().optional(),
  original_bytes: z.int().optional(),
  original_sha256: z.string().optional(),
  /** Of what came from a file: its name and the line, counted from 1. */
  source_file: z.string().nullable(),
  source_line: z.int().nullable(),
});
export type DeadLetter = z.output<typeof deadLetter>;

/** Where the bytes of a dead letter come from. */
export type DeadLetterSource =
  | { readonly kind: 'record'; readonly record: LogRecord }
  | {
      readonly kind: 'line';
      readonly file: string;
      readonly line: number;
      readonly bytes: Uint8Array;
      /** Where it would have gone. */
      readonly topic: string;
    }
  /** A line that was too long to be held: its bytes lie in a file among the claims. */
  | {
      readonly kind: 'stored_line';
      readonly file: string;
      readonly line: number;
      readonly topic: string;
      readonly at: string;
      readonly bytes: number;
      readonly sha256: string;
    }
  /** Something a worker made itself and could not do: the bytes that would do it again, on that topic. */
  | { readonly kind: 'made'; readonly topic: string; readonly key: string; readonly bytes: Uint8Array };

export interface DeadLetterFacts {
  /** The topic of the domain's dead letters. */
  readonly topic: string;
  readonly source: DeadLetterSource;
  readonly reason: DeadLetterReason;
  readonly error: unknown;
  readonly domain: string;
  readonly worker: string;
  readonly group?: string | undefined;
  readonly retryCount: number;
  /** The message, where it could be read. */
  readonly message?: unknown;
  /** What the domain wants found at the top of the envelope (`trace_id`, `media_id`, `attachment_url`, …). */
  readonly about?: Readonly<Record<string, unknown>> | undefined;
  /** Headers of the domain's own beside those of every dead letter. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly now: Date;
  /** Takes secrets out of the error's text. Defaults to leaving it as it is. */
  readonly redact?: ((text: string) => string) | undefined;
}

/** The record that keeps a message which was given up: everything that is needed to understand it and to send it again. */
export function deadLetterRecord(facts: DeadLetterFacts): NewRecord {
  const { source, error, about = {} } = facts;
  const category = facts.reason === 'permanent' ? 'permanent' : categoryOf(error);
  const traceId = typeof about['trace_id'] === 'string' ? about['trace_id'] : null;
  const envelope: DeadLetter = {
    ...about,
    reason: facts.reason,
    domain: facts.domain,
    worker: facts.worker,
    consumer_group: facts.group ?? null,
    error_code: error instanceof PenstockError ? error.code : null,
    error_category: category,
    final_error: capErrorText((facts.redact ?? same)(errorText(error))),
    http_status: error instanceof PenstockError ? (error.httpStatus ?? null) : null,
    retry_count: facts.retryCount,
    failed_at: facts.now.toISOString(),
    trace_id: traceId,
    original_task: facts.message ?? null,
    ...originOf(source),
  };
  return {
    topic: facts.topic,
    key: traceId ?? (source.kind === 'record' ? source.record.key : null),
    value: JSON.stringify(envelope),
    headers: {
      ...facts.headers,
      ...(traceId === null ? {} : { trace_id: traceId }),
      retry_count: String(facts.retryCount),
      error_category: category,
      dlq_reason: facts.reason,
      failed: 'true',
    },
    timestamp: facts.now.getTime(),
  };
}

type OriginMembers = Pick<
  DeadLetter,
  | 'original_topic'
  | 'original_partition'
  | 'original_offset'
  | 'original_key'
  | 'original_headers'
  | 'original_timestamp'
  | 'original_value'
  | 'original_file'
  | 'original_bytes'
  | 'original_sha256'
  | 'source_file'
  | 'source_line'
>;

function originOf(source: DeadLetterSource): OriginMembers {
  if (source.kind !== 'record') {
    return {
      original_topic: source.topic,
      original_partition: null,
      original_offset: null,
      original_key: source.kind === 'made' ? Buffer.from(source.key).toString('base64') : null,
      original_headers: [],
      original_timestamp: null,
      ...(source.kind === 'stored_line'
        ? { original_value: null, original_file: source.at, original_bytes: source.bytes, original_sha256: source.sha256 }
        : { original_value: Buffer.from(source.bytes).toString('base64') }),
      source_file: source.kind === 'made' ? null : source.file,
      source_line: source.kind === 'made' ? null : source.line,
    };
  }
  const { record } = source;
  return {
    original_topic: record.topic,
    original_partition: record.partition,
    original_offset: record.offset,
    original_key: record.key?.toString('base64') ?? null,
    original_headers: record.headers.map(([name, value]) => writtenHeader(name, value)),
    original_timestamp: new Date(record.timestamp).toISOString(),
    original_value: record.value?.toString('base64') ?? null,
    source_file: null,
    source_line: null,
  };
}

/** As text where the bytes are text. */
function writtenHeader(name: string, value: Buffer): { readonly name: string; readonly value?: string; readonly base64?: string } {
  const text = value.toString('utf8');
  return Buffer.from(text, 'utf8').equals(value) ? { name, value: text } : { name, base64: value.toString('base64') };
}

function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text === '' ? 'Unknown error' : text;
}

function same(text: string): string {
  return text;
}

/** A dead letter with its own address in the dead-letter topic. */
export interface FoundDeadLetter {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly letter: DeadLetter;
}

/** Reads a record of a dead-letter topic. Throws a `PenstockError` (PS4101) when it holds no envelope. */
export function readDeadLetter(record: LogRecord): FoundDeadLetter {
  const { topic, partition, offset } = record;
  try {
    return { topic, partition, offset, letter: deadLetter.parse(JSON.parse(record.value?.toString('utf8') ?? 'null')) };
  } catch (cause) {
    throw new PenstockError('PS4101', `${topic}[${partition}]@${offset} holds no dead letter`, { category: 'permanent', cause });
  }
}

/** Which dead letters are meant; every condition that is given must hold. */
export interface DeadLetterFilter {
  readonly traceId?: string | undefined;
  readonly mediaId?: string | undefined;
  readonly reason?: string | undefined;
  readonly category?: string | undefined;
  readonly worker?: string | undefined;
  /** The topic that the message came from. */
  readonly originTopic?: string | undefined;
  /** From this instant on, until before that one. */
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

export function matchesFilter(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  const failedAt = Date.parse(letter.failed_at);
  return (
    (filter.traceId === undefined || letter.trace_id === filter.traceId) &&
    (filter.mediaId === undefined || letter['media_id'] === filter.mediaId) &&
    (filter.reason === undefined || letter.reason === filter.reason) &&
    (filter.category === undefined || letter.error_category === filter.category) &&
    (filter.worker === undefined || letter.worker === filter.worker) &&
    (filter.originTopic === undefined || letter.original_topic === filter.originTopic) &&
    (filter.since === undefined || failedAt >= filter.since.getTime()) &&
    (filter.until === undefined || failedAt < filter.until.getTime())
  );
}

/** The original bytes of a dead letter; none when its record had no value. */
export function originalBytes(letter: DeadLetter): Buffer | undefined {
  return letter.original_value === null ? undefined : Buffer.from(letter.original_value, 'base64');
}

/**
 * The record that sends a dead letter's message again: to the topic and under the key it came with, for the consumer group that gave it up, counted
 * from 0. It says of itself that it is a replay, and of which letter, in headers and, where the message has metadata, there too.
 */
export function replayRecord({ partition, offset, letter }: FoundDeadLetter): NewRecord {
  if (letter.original_topic === null) {
    throw new PenstockError('PS4101', 'the dead letter does not say where its message came from', { category: 'permanent' });
  }
  if (letter.original_file !== undefined) {
    throw new PenstockError('PS4101', 'the message is too large to be sent whole: its bytes lie in a file', { category: 'permanent' });
  }
  const waits = isOfRetryTopic(letter);
  const headers: Header[] = letter.original_headers
    .filter(({ name }) => (waits ? name !== 'retry_count' : !SCHEME_HEADERS.has(name)))
    .map(({ name, value, base64 }) => [name, base64 === undefined ? Buffer.from(value ?? '') : Buffer.from(base64, 'base64')]);
  const say = (name: string, value: string): void => void headers.push([name, Buffer.from(value)]);
  say('replayed_from_dlq', 'true');
  say('dlq_partition', String(partition));
  say('dlq_offset', String(offset));
  if (waits) say('retry_count', '0');
  else if (letter.consumer_group !== null) say('consumer_group', letter.consumer_group);
  return {
    topic: letter.original_topic,
    key: letter.original_key === null ? null : Buffer.from(letter.original_key, 'base64'),
    value: replayedBody(letter, partition, offset),
    headers,
  };
}

/** Whether its record lay in a retry topic: then its headers say where it goes and for whom, and are needed again. */
function isOfRetryTopic({ original_headers: headers }: DeadLetter): boolean {
  return ['scheduled_retry_time', 'target_topic'].every((wanted) => headers.some(({ name }) => name === wanted));
}

function replayedBody(letter: DeadLetter, partition: number, offset: number): Buffer | string | null {
  const task = letter.original_task;
  if (typeof task !== 'object' || task === null || !('retry_count' in task)) return originalBytes(letter) ?? null;
  const metadata = 'metadata' in task && typeof task.metadata === 'object' ? task.metadata : undefined;
  const marked =
    metadata === undefined ? {} : { metadata: { ...metadata, replayed_from_dlq: true, dlq_partition: partition, dlq_offset: offset } };
  return JSON.stringify({ ...task, retry_count: 0, ...marked });
}
