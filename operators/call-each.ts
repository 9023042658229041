import type { MonoTypeOperatorFunction } from 'rxjs';
import { type ConcurrencyOptions, concurrently } from './concurrently.js';
import type { Delivery } from './delivery.js';
import { isPromise } from './is-promise.js';

export type CallEachOptions = ConcurrencyOptions;

/**
 * Does something with each item and passes it on, unchanged, when that is done; a bounded number at a time.
 *
 * ```marbles
 * in      -a-b-c-------|
 * out     ----a--b--c--|
 * ```
 *
 * What the call resolves to is not looked at: `mapEach` is for that. A call that throws or rejects fails its item. A call that returns no promise
 * costs none. Items wait in order behind `concurrency` calls; what is out at an early unsubscribe is released, at completion it is finished first.
 */
export function callEach<T>(
  call: (value: T, delivery: Delivery<T>) => unknown,
  options: CallEachOptions = {},
): MonoTypeOperatorFunction<Delivery<T>> {
  return concurrently<T>(
    () => (value, delivery) => {
      const result = call(value, delivery);
      return isPromise(result) ? result.then(() => delivery) : delivery;
    },
    options,
  );
}
