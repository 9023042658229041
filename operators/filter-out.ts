import type { MonoTypeOperatorFunction } from 'rxjs';
import type { Delivery } from './delivery.js';
import { filtered, perMessage } from './per-message.js';

/**
 * Filters the items for which the predicate holds; the others go on.
 *
 * ```marbles
 * in        -a-b-c-|
 * out       -a---c-|
 * filtered  ---b----
 * ```
 *
 * The reason is kept with the decision; a function may word it for each item. A predicate that throws fails the item.
 */
export function filterOut<T>(
  predicate: (value: T) => boolean,
  reason: string | ((value: T) => string) = 'filtered out',
): MonoTypeOperatorFunction<Delivery<T>> {
  return perMessage<T>(() => (value, delivery) => {
    if (!predicate(value)) return delivery;
    return filtered(typeof reason === 'string' ? reason : reason(value));
  });
}
