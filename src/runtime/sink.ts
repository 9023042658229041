import type { MonoTypeOperatorFunction } from 'rxjs';
import { callEach, type Delivery, tapEach } from '../../operators/index.js';
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

/** Hands the records that a value stands for to the sink, in order, before the delivery goes on. */
export function send<T>(
  sink: Sink,
  recordsOf: (value: T, delivery: Delivery<T>) => readonly NewRecord[],
  concurrency = 64,
): MonoTypeOperatorFunction<Delivery<T>> {
  if (sink === carrySink) {
    return tapEach<T>((value, delivery) => {
      for (const record of recordsOf(value, delivery)) void sink(record, delivery);
    });
  }
  return callEach<T>(
    async (value, delivery) => {
      for (const record of recordsOf(value, delivery)) await sink(record, delivery);
    },
    { concurrency },
  );
}
