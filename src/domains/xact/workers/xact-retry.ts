import type { Observable } from 'rxjs';
import { type Delivery, perMessage, tapEach } from '../../../../operators/index.js';
import { PenstockError } from '../../../diagnostics/index.js';
import { deadLetterRecord } from '../../../runtime/dead-letter.js';
import { holdUntil } from '../../../runtime/hold-until.js';
import { textHeaders } from '../../../runtime/item.js';
import { turnOf } from '../../../runtime/retry-order.js';
import { decideRedelivery, type RedeliveryDecision, retryCountOf, SCHEME_HEADERS } from '../../../runtime/retry-policy.js';
import { send } from '../../../runtime/sink.js';
import type { Settled } from '../../../runtime/worker.js';
import type { Header, LogRecord, NewRecord } from '../../../transport/transport.js';
import { CONSUMED, RETRY, topicName, XACT, type XactTopic } from '../topics.js';
import { RETRY_DELAYS_MS, sinkOf, xactWorker, type XactWorkerOptions } from './shell.js';

export * from './mounting.js';

/** There is no `retryOrder`: nothing of this worker is retried, it brings back what others are waiting for. */
export interface XactRetryOptions extends Omit<XactWorkerOptions, 'retryOrder'> {
  /** The most records held until they are due, for each source. Defaults to 1 000. */
  readonly maxHeld?: number;
}

const NAME = 'xact-retry';

interface Held {
  readonly record: LogRecord;
  readonly until: number;
  readonly decision: Exclude<RedeliveryDecision, { action: 'hold' }>;
}

/**
 * Owns the retry topics: holds each record until it is due and sends it back to the topic that it came from, for the group that asked. A record that
 * says no target, or an unknown one, is dead-lettered at once. On drain what is held is released and comes again.
 */
export function xactRetry(options: XactRetryOptions): Observable<Settled> {
  const { maxHeld = 1000, retryDelaysMs = RETRY_DELAYS_MS } = options;
  const sink = sinkOf(options);
  return xactWorker(NAME, options, {
    withoutPlugins: true,
    givesBack: true,
    steps: (records$) =>
      records$.pipe(
        perMessage<LogRecord, Held>(() => (record, delivery) => delivery.with(heldFor(record, retryDelaysMs.length))),
        holdUntil({ due: (held) => held.until, maxHeld, signal: options.signal }),
        send(sink, (held) => [recordFor(held)]),
        tapEach(settleRefused),
      ),
  });
}

function heldFor(record: LogRecord, maxRetries: number): Held {
  const question = {
    headers: textHeaders(record),
    recordKey: record.key?.toString('utf8') ?? null,
    maxRetries,
    knownTargets: CONSUMED,
    retryTopic: RETRY,
  };
  const now = Date.now();
  const decision = decideRedelivery({ ...question, now });
  if (decision.action !== 'hold') return { record, until: 0, decision };
  const due = decideRedelivery({ ...question, now: decision.until });
  if (due.action === 'hold') throw new PenstockError('PS7000', 'a record is still held when it is due');
  // A record from the future was written before the clock was set back: its delay counts from now.
  const delay = Math.max(0, decision.until - record.timestamp);
  return { record, until: Math.min(decision.until, now + delay), decision: due };
}

function settleRefused({ decision }: Held, delivery: Delivery<Held>): void {
  if (decision.action === 'dead_letter') delivery.settle('dead_lettered', decision.reason);
}

function recordFor({ record, decision }: Held): NewRecord {
  if (decision.action === 'deliver') {
    const scheme = Object.entries(decision.headers);
    const own = record.headers.filter(([name]) => !SCHEME_HEADERS.has(name) && !(name in decision.headers));
    // What has a turn comes back to the partition that keeps its order, whoever chose that.
    const turn = turnOf(decision.headers);
    return {
      topic: topicName(decision.targetTopic as XactTopic),
      ...(turn === undefined ? {} : { partition: turn.partition }),
      key: decision.key,
      value: record.value,
      headers: [...own, ...scheme.map(([name, value]): Header => [name, Buffer.from(value)])],
    };
  }
  return deadLetterRecord({
    topic: topicName('xact.dlq'),
    source: { kind: 'record', record },
    reason: decision.reason,
    error: new PenstockError('PS4101', `the retry record cannot be served: ${decision.reason.replaceAll('_', ' ')}`, {
      category: 'permanent',
    }),
    domain: XACT,
    worker: NAME,
    group: NAME,
    retryCount: retryCountOf(textHeaders(record)),
    now: new Date(),
  });
}
