import type { Delivery } from '../../operators/index.js';
import { isPromise } from '../../operators/is-promise.js';
import { release } from '../../operators/stage.js';
import type { NewRecord } from '../transport/transport.js';
import type { Line, RetryOrder, Ticket } from './retry-order.js';
import type { Sink } from './sink.js';

/** One that has to wait on a retry topic behind those of its key that lie there. */
export interface Spilled {
  readonly key: string;
  readonly delayMs: number;
  /** Milliseconds since 1970. */
  readonly dueAt: number;
  /** They say its turn. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SpillOptions<T> {
  readonly order: RetryOrder;
  /** The record of an item for the retry topic. */
  readonly spill: (value: T, spilled: Spilled) => NewRecord;
  readonly sink: Sink;
}

/** Sends an item to the retry topic on which those before it are, and settles it as retried; releases it when that cannot be done. */
export function spillBehind<T>(
  line: Line,
  { delivery, ticket }: { readonly delivery: Delivery<T>; readonly ticket: Ticket },
  { order, spill, sink }: SpillOptions<T>,
): void {
  const left = (): void => delivery.settle('retried', 'the one before it is retried');
  const notSent = (error: unknown): void => release(delivery, `it could not be sent behind the one before it: ${String(error)}`);
  try {
    const { dueAt, headers } = order.spilled(delivery.origin!, ticket, line, Date.now());
    const answer = sink(spill(delivery.value, { key: ticket.key, delayMs: line.delayMs, dueAt, headers }), delivery);
    if (isPromise(answer)) answer.then(left, notSent);
    else left();
  } catch (error) {
    notSent(error);
  }
}
