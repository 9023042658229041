import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs';
import type { Delivery } from './delivery.js';
import { DEFAULT_MAX_HELD, overflow } from './overflow.js';
import { Ring } from './ring.js';
import { release, Stage, stage } from './stage.js';

export interface BoundedOptions {
  /** The most items that may be in flight behind this operator. */
  readonly inFlight: number;
  /** The most items that wait; one more fails with an `OverflowError`. Defaults to 100 000. */
  readonly maxHeld?: number;
}

class Bound<T> extends Stage<Delivery<T>, Delivery<T>> {
  private readonly waiting = new Ring<Delivery<T>>();
  private readonly limit: number;
  private readonly maxHeld: number;
  private running = 0;
  private pumping = false;
  private sourceDone = false;
  private readonly left = (): void => {
    this.running -= 1;
    this.pump();
  };

  constructor(downstream: Subscriber<Delivery<T>>, options: BoundedOptions) {
    super(downstream);
    this.limit = options.inFlight;
    this.maxHeld = options.maxHeld ?? DEFAULT_MAX_HELD;
  }

  protected override _next(delivery: Delivery<T>): void {
    if (this.running < this.limit && this.waiting.size === 0) this.letGo(delivery);
    else if (this.waiting.size < this.maxHeld) this.waiting.push(delivery);
    else overflow(delivery, 'bounded', this.maxHeld);
  }

  protected override _complete(): void {
    this.sourceDone = true;
    if (this.waiting.size === 0) this.finish();
  }

  protected override closing(reason: string): void {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) release(next, reason);
  }

  private letGo(delivery: Delivery<T>): void {
    this.running += 1;
    if (delivery.outcome === undefined) this.downstream.next(delivery);
    // Listening only now means that what leaves at once is counted home without a queue of frames.
    delivery.whenSettled(this.left);
  }

  private pump(): void {
    if (this.pumping || this.closed) return;
    this.pumping = true;
    while (this.running < this.limit && this.waiting.size > 0) this.letGo(this.waiting.shift()!);
    this.pumping = false;
    if (this.sourceDone && this.waiting.size === 0 && !this.closed) this.finish();
  }
}

/**
 * Lets only so many items be in flight behind it; the next goes on when one has left.
 *
 * ```marbles
 * in   abc---------|
 * out  a--b--c-----|
 * ```
 *
 * Drawn with room for one and three milliseconds of work behind it. Items keep their order. Those that wait are released at an early unsubscribe;
 * when the source completes they go on first.
 */
export function bounded<T>(options: BoundedOptions): MonoTypeOperatorFunction<Delivery<T>> {
  return stage((downstream) => new Bound(downstream, options));
}
