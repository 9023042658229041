import { asyncScheduler, type MonoTypeOperatorFunction, type SchedulerLike } from 'rxjs';
import type { Delivery } from './delivery.js';
import { filtered, perMessage } from './per-message.js';

export interface DedupeOptions<T> {
  /** What makes two items the same. */
  readonly key: (value: T, delivery: Delivery<T>) => string;
  /** How long a key is remembered after its item was delivered, in milliseconds. */
  readonly withinMs: number;
  /** The most keys remembered; the oldest are forgotten first. Defaults to 100 000. */
  readonly maxKeys?: number;
  /** Tells the time. Defaults to `asyncScheduler`. */
  readonly clock?: SchedulerLike;
}

/**
 * Filters an item whose key was delivered a short while ago.
 *
 * ```marbles
 * in        -a-b-a----a-|
 * out       -a-b------a-|
 * filtered  -----a-------
 * ```
 *
 * Only a delivered item is remembered: what was released, retried or dead-lettered comes again and has to pass. While the first of a key is still
 * in flight a second one passes too, so this stands behind `inLanes` with the same key. Keys live in memory, for one subscription, until
 * `withinMs` is over or `maxKeys` is reached.
 */
export function dedupe<T>({
  key,
  withinMs,
  maxKeys = 100_000,
  clock = asyncScheduler,
}: DedupeOptions<T>): MonoTypeOperatorFunction<Delivery<T>> {
  return perMessage<T>(() => {
    const seenUntil = new Map<string, number>();
    const forget = (now: number, most: number): void => {
      // Keys stand in the order of their settling, so the first that must stay ends the search.
      for (const [oldest, until] of seenUntil) {
        if (until > now && seenUntil.size <= most) return;
        seenUntil.delete(oldest);
      }
    };
    return (value, delivery) => {
      const id = key(value, delivery);
      forget(clock.now(), maxKeys);
      if (seenUntil.has(id)) return filtered('duplicate');
      delivery.whenSettled((outcome) => {
        if (outcome !== 'delivered') return;
        const now = clock.now();
        seenUntil.delete(id);
        seenUntil.set(id, now + withinMs);
        forget(now, maxKeys);
      });
      return delivery;
    };
  });
}
