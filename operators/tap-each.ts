import type { MonoTypeOperatorFunction } from 'rxjs';
import type { Delivery } from './delivery.js';
import { perMessage } from './per-message.js';

/**
 * Shows each item to a function and passes it on unchanged.
 *
 * ```marbles
 * in   -a-b-c-|
 * out  -a-b-c-|
 * ```
 *
 * What the function returns is not looked at, so it must not be asynchronous: that is `callEach`. A throw fails the item.
 */
export function tapEach<T>(look: (value: T, delivery: Delivery<T>) => void): MonoTypeOperatorFunction<Delivery<T>> {
  return perMessage<T>(() => (value, delivery) => {
    look(value, delivery);
    return delivery;
  });
}
