import type { OperatorFunction } from 'rxjs';
import { type Delivery, type Origin, perMessage, route, tapEach } from '../../operators/index.js';
import { type Category, categoryOf, PenstockError } from '../diagnostics/index.js';
import type { Context, Passed } from '../plugin/index.js';
import type { Header, LogRecord, NewRecord } from '../transport/transport.js';
import { deadLetterRecord } from './dead-letter.js';
import { recordOf, textHeaders } from './item.js';
import type { RetryOrder } from './retry-order.js';
import { decideRetry, doneActionsOf, retryCountOf, retryHeaders, SCHEME_HEADERS } from './retry-policy.js';
import { send, type Sink } from './sink.js';
import { beforeContext, type Chains, type Performing, stage } from './stage.js';
import type { Failure } from './worker.js';

/** What the domain says of a message that failed. */
export interface FailedMessage {
  /** Null when it could not be read. */
  readonly message: unknown;
  readonly traceId: string;
  /** What stands at the top of a dead letter (`trace_id`, `media_id`, …). */
  readonly about: Readonly<Record<string, unknown>>;
}

/** An item on its way out: what failed, why, and what was decided. */
export interface Failing extends FailedMessage {
  readonly record: LogRecord;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: unknown;
  readonly category: Category;
  readonly retryCount: number;
  readonly decision: Decision;
}

export type Decision =
  | {
      readonly action: 'retry';
      readonly delayMs: number;
      readonly waitMs: number;
      readonly retryCount: number;
      readonly topic: string;
      readonly dueAt: number;
    }
  | { readonly action: 'dead_letter'; readonly reason: string };

export interface FailureRouteOptions {
  readonly domain: string;
  readonly worker: string;
  /** One retry for each. */
  readonly delaysMs: readonly number[];
  /** What another attempt may mend is given back instead: for records that lie in a retry topic already. */
  readonly givesBack?: boolean;
  /** The most that is added to a delay, as a share of it. Defaults to that of the retry policy. */
  readonly jitter?: number;
  readonly deadLetterTopic: string;
  /** The logical name of a topic, as the retry scheme says it. */
  readonly logicalName: (topic: string) => string;
  readonly retryTopic: (topic: string, delayMs: number) => string;
  readonly chains: Chains;
  readonly perform: Performing;
  readonly sink: Sink;
  readonly describe: (value: unknown, error: unknown) => FailedMessage;
  readonly contextOf: (stage: 'error' | 'retry' | 'dlq', failing: Failing, data: Readonly<Record<string, unknown>>) => Context;
  /** The value of the retry record; defaults to the record's own. */
  readonly retriedValue?: (failing: Failing, dueAt: Date) => Buffer | string | null;
  /** The worker's own records about the failure, written with it. */
  readonly recordsOf?: (failing: Failing) => readonly NewRecord[];
  /** Ids of actions that were done for this record before it failed. */
  readonly doneActions?: (record: LogRecord) => readonly string[];
  /** Keeps the order of a key across retries. */
  readonly order?: RetryOrder;
  readonly redact?: (text: string) => string;
  readonly random?: () => number;
  readonly onDecision?: (failing: Failing) => void;
}

/**
 * Where a worker's failed items go: plugins at `error` see them and may choose, then each is retried on the topic of its delay or dead-lettered,
 * past the plugins at `retry` or `dlq`. Nothing is thrown away: an item whose record cannot be made fails again, and is given back.
 */
export function failureRoute(options: FailureRouteOptions): OperatorFunction<Delivery<Failure>, Delivery<unknown>> {
  const { chains, perform, contextOf } = options;
  const same = (failing: Failing): Failing => failing;
  return (failures$) =>
    failures$.pipe(
      perMessage<Failure, Failing>(() => (failure, delivery) => delivery.with(describeFailure(failure, options))),
      stage<Failing>({
        chain: chains['error'],
        perform,
        contextOf: (failing) => contextOf('error', failing, errorData(failing)),
        amend: same,
        onVerdict: (failing, verdict) => ({ ...failing, decision: chosen(failing, verdict, options) }),
      }),
      tapEach((failing) => options.onDecision?.(failing)),
      route<Failing>({
        by: (failing) => failing.decision.action,
        to: {
          retry: stage<Failing>({
            chain: chains['retry'],
            perform,
            contextOf: (failing) => contextOf('retry', failing, retryData(failing)),
            amend: same,
          }),
          dead_letter: stage<Failing>({
            chain: chains['dlq'],
            perform,
            contextOf: (failing) => contextOf('dlq', failing, deadLetterData(failing)),
            amend: same,
          }),
        },
      }),
      send<Failing>(options.sink, (failing, { origin }) => [...(options.recordsOf?.(failing) ?? []), recordFor(failing, origin, options)]),
      tapEach((failing, delivery) => {
        if (failing.decision.action === 'retry') delivery.settle('retried', `${failing.category}: ${textOf(failing.error, options)}`);
        else delivery.settle('dead_lettered', failing.decision.reason);
      }),
    );
}

function describeFailure(failure: Failure, options: FailureRouteOptions): Failing {
  const value = beforeContext(failure.value);
  const record = recordOf(value);
  if (record === undefined) throw new PenstockError('PS7000', 'what failed has no record', { cause: failure.error });
  const headers = textHeaders(record);
  const described = options.describe(value, failure.error);
  const retryCount = retryCountOf(headers);
  const category = isFullDisk(failure.error) ? 'transient' : categoryOf(failure.error);
  const open = { ...described, record, headers, error: failure.error, category, retryCount };
  const decision = decide(open, options);
  if (options.givesBack === true && decision.action === 'retry') throw failure.error;
  return { ...open, decision };
}

/** A full disk is no fault of the message, whatever else it is: there will be room again. */
function isFullDisk(error: unknown): boolean {
  return error instanceof PenstockError && error.code === 'PS3002';
}

function decide(failing: Omit<Failing, 'decision'>, options: FailureRouteOptions): Decision {
  const { record, category, retryCount, message } = failing;
  if (message === null && category === 'permanent') return { action: 'dead_letter', reason: 'unreadable' };
  // An open circuit is waited for where the call is made; one that still arrives here comes again like any passing fault.
  const counted = category === 'circuit_open' ? 'transient' : category;
  const { delaysMs, jitter, random = Math.random } = options;
  const decision = decideRetry({ category: counted, retryCount, delaysMs, random, ...(jitter === undefined ? {} : { jitter }) });
  if (decision.action !== 'retry') return { action: 'dead_letter', reason: decision.action === 'hold' ? 'circuit_open' : decision.reason };
  return { ...decision, topic: options.retryTopic(record.topic, decision.delayMs), dueAt: Date.now() + decision.waitMs };
}

/** What a plugin at `error` chose, as far as retries are left. */
function chosen(failing: Failing, verdict: NonNullable<Passed['verdict']>, options: FailureRouteOptions): Decision {
  if (verdict.kind === 'dead_letter') return { action: 'dead_letter', reason: verdict.reason };
  const { delaysMs } = options;
  if (failing.retryCount >= delaysMs.length) return { action: 'dead_letter', reason: 'max_retries_exceeded' };
  const tier = [...delaysMs].sort((a, b) => a - b).find((delayMs) => delayMs >= verdict.afterMs) ?? Math.max(...delaysMs);
  const topic = options.retryTopic(failing.record.topic, tier);
  return {
    action: 'retry',
    delayMs: tier,
    waitMs: verdict.afterMs,
    retryCount: failing.retryCount + 1,
    topic,
    dueAt: Date.now() + verdict.afterMs,
  };
}

function recordFor(failing: Failing, origin: Origin | undefined, options: FailureRouteOptions): NewRecord {
  return failing.decision.action === 'retry'
    ? retryRecord({ ...failing, decision: failing.decision, turn: options.order?.retried(origin, failing.decision) }, options)
    : letter(failing, failing.decision.reason, options);
}

interface Retried extends Failing {
  readonly decision: Decision & { action: 'retry' };
  /** The headers that say its turn, where the order of keys holds. */
  readonly turn: Readonly<Record<string, string>> | undefined;
}

function retryRecord(failing: Retried, options: FailureRouteOptions): NewRecord {
  const { record, headers, traceId, decision } = failing;
  const key = record.key === null ? traceId : record.key.toString('utf8');
  const own = record.headers.filter(([name]) => !SCHEME_HEADERS.has(name));
  const done = [...doneActionsOf(headers), ...(options.doneActions?.(record) ?? [])];
  const scheme = {
    ...failing.turn,
    ...retryHeaders({
      traceId,
      retryCount: decision.retryCount,
      dueAt: decision.dueAt,
      delayMs: decision.delayMs,
      targetTopic: options.logicalName(record.topic),
      workerType: options.worker,
      originalKey: key,
      category: failing.category,
      domain: options.domain,
      group: options.worker,
      doneActions: [...new Set(done)],
    }),
  };
  const named = new Set(Object.keys(scheme));
  return {
    topic: decision.topic,
    key: record.key ?? traceId,
    value: options.retriedValue === undefined ? record.value : options.retriedValue(failing, new Date(decision.dueAt)),
    headers: [
      ...own.filter(([name]) => !named.has(name)),
      ...Object.entries(scheme).map(([name, value]): Header => [name, Buffer.from(value)]),
    ],
  };
}

function letter(failing: Failing, reason: string, options: FailureRouteOptions): NewRecord {
  return deadLetterRecord({
    topic: options.deadLetterTopic,
    source: { kind: 'record', record: failing.record },
    reason,
    error: failing.error,
    domain: options.domain,
    worker: options.worker,
    group: options.worker,
    retryCount: failing.retryCount,
    message: failing.message,
    about: failing.about,
    now: new Date(),
    ...(options.redact === undefined ? {} : { redact: options.redact }),
  });
}

function errorData(failing: Failing): Readonly<Record<string, unknown>> {
  const opened = typeof failing.error === 'object' && failing.error !== null && openedBreaker.has(failing.error);
  return { error_category: failing.category, retry_count: failing.retryCount, ...(opened ? { circuit: 'opened' } : {}) };
}

function retryData({ decision }: Failing): Readonly<Record<string, unknown>> {
  return decision.action === 'retry' ? { delay_seconds: decision.delayMs / 1000, retry_topic: decision.topic } : {};
}

function deadLetterData({ decision }: Failing): Readonly<Record<string, unknown>> {
  return decision.action === 'dead_letter' ? { reason: decision.reason } : {};
}

/** Failures that opened a breaker, so that plugins at `error` can tell. */
export const openedBreaker = new WeakSet<object>();

function textOf(error: unknown, { redact = (text) => text }: FailureRouteOptions): string {
  return redact(error instanceof Error ? error.message : String(error));
}
