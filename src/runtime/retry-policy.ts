import type { Category } from '../diagnostics/index.js';
import { formatInstant, parseInstant } from './instant.js';

/** How much later than its delay a retry may come, as a share of the delay, unless the question says otherwise: what failed together does not come back together. */
export const RETRY_JITTER = 0.1;

export interface RetryQuestion {
  readonly category: Category;
  /** How often the message was retried already. */
  readonly retryCount: number;
  /** One retry for each. */
  readonly delaysMs: readonly number[];
  /** The most that is added to a delay, as a share of it. Defaults to `RETRY_JITTER`. */
  readonly jitter?: number;
  /** From 0 to 1: draws the jitter. */
  readonly random: () => number;
}

export type RetryDecision =
  | {
      readonly action: 'retry';
      /** The fixed delay that names the retry topic. */
      readonly delayMs: number;
      /** When to come back, from now: the delay and its jitter. */
      readonly waitMs: number;
      readonly retryCount: number;
    }
  | { readonly action: 'dead_letter'; readonly reason: 'permanent' | 'max_retries_exceeded' }
  /** An open circuit is no attempt: the delivery stays where it is. */
  | { readonly action: 'hold' };

/** What becomes of a message that failed: N delays are N retries, a permanent failure has none. */
export function decideRetry({ category, retryCount, delaysMs, jitter = RETRY_JITTER, random }: RetryQuestion): RetryDecision {
  if (category === 'circuit_open') return { action: 'hold' };
  if (category === 'permanent') return { action: 'dead_letter', reason: 'permanent' };
  const delayMs = delaysMs[retryCount];
  if (delayMs === undefined) return { action: 'dead_letter', reason: 'max_retries_exceeded' };
  return { action: 'retry', delayMs, waitMs: Math.round(delayMs * (1 + jitter * random())), retryCount: retryCount + 1 };
}

export interface RetryRecordFacts {
  readonly traceId: string;
  /** The count after this retry was decided. */
  readonly retryCount: number;
  /** Milliseconds since 1970. */
  readonly dueAt: number;
  readonly delayMs: number;
  /** The topic to deliver to, by its logical name. */
  readonly targetTopic: string;
  readonly workerType: string;
  readonly originalKey: string;
  readonly category: Category;
  readonly domain: string;
  /** The consumer group that asked: other groups of the topic let the record pass. */
  readonly group?: string;
  /** Ids of the actions that are done already, so that the retry does not repeat them. */
  readonly doneActions?: readonly string[];
}

/** The headers that a record of a retry topic carries beside its own. */
export function retryHeaders(facts: RetryRecordFacts): Readonly<Record<string, string>> {
  return {
    trace_id: facts.traceId,
    retry_count: String(facts.retryCount),
    scheduled_retry_time: formatInstant(facts.dueAt * 1000),
    retry_delay_seconds: String(facts.delayMs / 1000),
    target_topic: facts.targetTopic,
    worker_type: facts.workerType,
    original_key: facts.originalKey,
    error_category: facts.category,
    domain: facts.domain,
    ...(facts.group === undefined ? {} : { consumer_group: facts.group }),
    ...(facts.doneActions === undefined || facts.doneActions.length === 0 ? {} : { done_actions: facts.doneActions.join(',') }),
  };
}

/** Headers by which the order of a key holds across retries. */
export const ORDER_HEADERS = {
  /** The key whose order holds. */
  key: 'order_key',
  /** The partition that keeps the order, and the turn there. */
  turn: 'order_turn',
  /** It waits for another's retry: this was no attempt of its own. */
  spilled: 'order_spilled',
} as const;

/** Headers of the retry scheme, of replay and of dead letters: what a plugin does not see, and a publish does not pass on. */
export const SCHEME_HEADERS: ReadonlySet<string> = new Set([
  'retry_count',
  'scheduled_retry_time',
  'retry_delay_seconds',
  'target_topic',
  'worker_type',
  'original_key',
  'error_category',
  'domain',
  'consumer_group',
  'done_actions',
  'redelivered_from',
  'replayed_from_dlq',
  'dlq_partition',
  'dlq_offset',
  'dlq_reason',
  'failed',
  ...Object.values(ORDER_HEADERS),
]);

/** A record's own headers: without those of the retry scheme. */
export function ownHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !SCHEME_HEADERS.has(name)));
}

/** How often a record was retried, by its headers; 0 when they do not say. */
export function retryCountOf(headers: Readonly<Record<string, string>>): number {
  const count = headers['retry_count'];
  return count !== undefined && COUNT.test(count) ? Number(count) : 0;
}

/** The ids of actions that an earlier attempt at this record has done. */
export function doneActionsOf(headers: Readonly<Record<string, string>>): ReadonlySet<string> {
  return new Set((headers['done_actions'] ?? '').split(',').filter((id) => id !== ''));
}

/** Whether a record is for a consumer group: what comes back is for the group that asked alone, all else for everybody. */
export function isForGroup(headers: Readonly<Record<string, string>>, group: string): boolean {
  return !wasSentBack(headers) || headers['consumer_group'] === undefined || headers['consumer_group'] === group;
}

function wasSentBack(headers: Readonly<Record<string, string>>): boolean {
  return headers['redelivered_from'] !== undefined || headers['replayed_from_dlq'] !== undefined;
}

/** Whether a record comes back from retry or replay: it passes the memory of duplicates. One that only waited for another's retry was not tried yet. */
export function comesBack(headers: Readonly<Record<string, string>>): boolean {
  const waited = headers[ORDER_HEADERS.spilled] !== undefined && retryCountOf(headers) === 0;
  return headers['replayed_from_dlq'] !== undefined || (headers['redelivered_from'] !== undefined && !waited);
}

export interface RedeliveryQuestion {
  readonly headers: Readonly<Record<string, string>>;
  readonly recordKey: string | null;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly maxRetries: number;
  /** Logical names of the topics that somebody consumes. */
  readonly knownTargets: readonly string[];
  /** Logical name under which retries are known. */
  readonly retryTopic: string;
}

export type RedeliveryDecision =
  | {
      readonly action: 'deliver';
      readonly targetTopic: string;
      readonly key: string | null;
      /** To be put on top of the record's own headers. */
      readonly headers: Readonly<Record<string, string>>;
    }
  /** `until` in milliseconds since 1970. */
  | { readonly action: 'hold'; readonly until: number; readonly targetTopic: string; readonly key: string | null }
  | { readonly action: 'dead_letter'; readonly reason: RedeliveryRefusal };

export type RedeliveryRefusal = 'missing_headers' | 'invalid_retry_count' | 'max_retries_exceeded' | 'invalid_time' | 'unknown_target';

const COUNT = /^\s*\d{1,9}\s*$/;
const KEPT = ['error_category', 'domain', 'consumer_group', 'done_actions', 'replayed_from_dlq', ...Object.values(ORDER_HEADERS)];

/** What the owner of the retry topics does with one of their records: a target that nobody serves is noticed at once, not when it is due. */
export function decideRedelivery(question: RedeliveryQuestion): RedeliveryDecision {
  const { headers, recordKey, now, maxRetries, knownTargets, retryTopic } = question;
  const { scheduled_retry_time: time, target_topic: targetTopic, retry_count: count } = headers;
  if (time === undefined || targetTopic === undefined || count === undefined) return deadLetter('missing_headers');
  if (!COUNT.test(count)) return deadLetter('invalid_retry_count');
  if (Number(count) > maxRetries) return deadLetter('max_retries_exceeded');
  const micros = parseInstant(time);
  if (micros === undefined) return deadLetter('invalid_time');
  if (!knownTargets.includes(targetTopic)) return deadLetter('unknown_target');
  const key = headers['original_key'] ?? recordKey;
  const until = Math.ceil(micros / 1000);
  if (until > now) return { action: 'hold', until, targetTopic, key };
  const kept = KEPT.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]] as const]));
  return {
    action: 'deliver',
    targetTopic,
    key,
    headers: {
      redelivered_from: retryTopic,
      retry_count: count.trim(),
      worker_type: headers['worker_type'] ?? 'unknown',
      ...Object.fromEntries(kept),
    },
  };
}

function deadLetter(reason: RedeliveryRefusal): RedeliveryDecision {
  return { action: 'dead_letter', reason };
}
