import { setMaxListeners } from 'node:events';
import { defer, type MonoTypeOperatorFunction } from 'rxjs';
import { callEach, type Delivery } from '../../operators/index.js';
import { DelayQueue } from './delay-queue.js';

export interface HoldUntilOptions<T> {
  /** When the item may go on, in milliseconds since 1970. */
  readonly due: (value: T) => number;
  /** The most items held at once; those behind them wait in order. */
  readonly maxHeld: number;
  /** Gives back what is held, so that a drain does not wait for it. */
  readonly signal?: AbortSignal | undefined;
}

/** By how much at most a timer is early, in milliseconds. */
const EARLY_MS = 5;

/** `setTimeout` takes no more than this; a longer wait is made of several. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Holds each item until it is due, then passes it on; what is due already goes on at once. Later items that are due earlier overtake, and
 * whatever is due by now goes on in the order in which it was due, however late its timer.
 * On `signal` everything held is released.
 */
export function holdUntil<T>({ due, maxHeld, signal }: HoldUntilOptions<T>): MonoTypeOperatorFunction<Delivery<T>> {
  if (signal !== undefined) setMaxListeners(0, signal); // one for each item held
  return (source) =>
    defer(() => {
      const held = new DelayQueue<() => void>();
      return source.pipe(
        callEach<T>(
          (value, delivery) => {
            const time = due(value);
            return time <= Date.now() ? undefined : wait(time, delivery, held, signal);
          },
          { concurrency: maxHeld, order: 'none' },
        ),
      );
    });
}

/** `held` are the ends of those that wait; what ended otherwise stays there until it would have been due. */
function wait(time: number, delivery: Delivery<unknown>, held: DelayQueue<() => void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout;
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveBack);
      resolve();
    };
    const giveBack = (): void => {
      delivery.settle('released', 'held until it is due');
      end();
    };
    // Counted by the time that passes: the clock may be set meanwhile.
    let left = time - Date.now();
    const arm = (): void => {
      // A timer may be a moment early.
      const rest = time - Date.now();
      if (left <= 0 && rest > 0 && rest < EARLY_MS) left = rest;
      if (left <= 0) {
        for (const endOf of held.popDue(Date.now())) endOf();
        return end();
      }
      const step = Math.min(left, LONGEST_TIMER_MS);
      left -= step;
      timer = setTimeout(arm, step);
    };
    held.push(end, time);
    signal?.addEventListener('abort', giveBack, { once: true });
    if (signal?.aborted) giveBack();
    else arm();
  });
}
