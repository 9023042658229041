import type { MonoTypeOperatorFunction } from 'rxjs';
import { callEach, type Delivery } from '../../operators/index.js';
import { isPromise } from '../../operators/is-promise.js';
import type { Mark, NewRecord } from '../transport/transport.js';

/**
 * Where a worker's own records go. The delivery is settled when the answer has come; an answer that fails fails the delivery.
 * `carrySink` puts them on the claim, so that the transport writes them with the outcome.
 */
export type Sink = (record: NewRecord, delivery: Delivery<unknown>) => void | PromiseLike<unknown>;

/** Records travel on the claim and become durable with the outcome, in one transaction where the transport can. */
export const carrySink: Sink = (record, delivery) => delivery.carry({ kind: 'produce', record });

/** Remembers something with the outcome: see `Mark`. */
export function mark(delivery: Delivery<unknown>, store: string, key: string, expiresAt: number): void {
  const item: Mark = { kind: 'mark', store, key, expiresAt };
  delivery.carry(item);
}

/** Hands the records that a value stands for to the sink, one after the other, before the delivery goes on. */
export function send<T>(
  sink: Sink,
  recordsOf: (value: T, delivery: Delivery<T>) => readonly NewRecord[],
  concurrency = 64,
): MonoTypeOperatorFunction<Delivery<T>> {
  return callEach<T>((value, delivery) => sendFrom(0, recordsOf(value, delivery), sink, delivery), { concurrency });
}

/** A sink that answers at once is never waited for. */
function sendFrom(first: number, records: readonly NewRecord[], sink: Sink, delivery: Delivery<unknown>): void | Promise<void> {
  for (let at = first; at < records.length; at += 1) {
    const answer = sink(records[at]!, delivery);
    if (isPromise(answer)) return Promise.resolve(answer).then(() => sendFrom(at + 1, records, sink, delivery));
  }
}
