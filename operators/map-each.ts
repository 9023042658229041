import type { OperatorFunction } from 'rxjs';
import { type ConcurrencyOptions, concurrently } from './concurrently.js';
import type { Delivery } from './delivery.js';
import { isPromise } from './is-promise.js';
import { Filtered } from './per-message.js';

export type MapEachOptions = ConcurrencyOptions;

/**
 * Passes on each item with another value, computed at once or by a promise; `filtered(reason)` instead of a value ends the item.
 *
 * ```marbles
 * in        -a-b-c-|
 * out       -A---C-|
 * filtered  ---b----
 * ```
 *
 * A function that throws or rejects fails its item. Promises run `concurrency` at a time and go on in the order of the source unless `order` says
 * otherwise; a value that is no promise goes on at once. What is out at an early unsubscribe is released, at completion it is finished first.
 */
export function mapEach<T, U>(
  project: (value: T, delivery: Delivery<T>) => U | Filtered | PromiseLike<U | Filtered>,
  options: MapEachOptions = {},
): OperatorFunction<Delivery<T>, Delivery<U>> {
  return concurrently<T, U>(
    () => (value, delivery) => {
      const result = project(value, delivery);
      if (isPromise(result)) return result.then((later) => (later instanceof Filtered ? later : delivery.with(later)));
      return result instanceof Filtered ? result : delivery.with(result);
    },
    options,
  );
}
