import { asyncScheduler, type MonoTypeOperatorFunction, type SchedulerLike, type Subscriber, type Subscription } from 'rxjs';
import type { Delivery } from './delivery.js';
import { DEFAULT_MAX_HELD, overflow } from './overflow.js';
import { Ring } from './ring.js';
import { release, Stage, stage } from './stage.js';
import { TokenBucket } from './token-bucket.js';

export interface RateLimitOptions<T> {
  readonly ratePerSecond: number;
  /** How many may go at once after a pause. Defaults to `ratePerSecond`, and to 1 where that is less. */
  readonly burst?: number;
  /** What an item costs. Defaults to 1; more than `burst` fails the item. */
  readonly cost?: (value: T) => number;
  /** The most items that wait; one more fails with an `OverflowError`. Defaults to 100 000. */
  readonly maxHeld?: number;
  /** Tells the time. Defaults to `asyncScheduler`. */
  readonly clock?: SchedulerLike;
}

interface Waiting<T> {
  readonly delivery: Delivery<T>;
  readonly at: number;
}

class Limiting<T> extends Stage<Delivery<T>, Delivery<T>> {
  private readonly waiting = new Ring<Waiting<T>>();
  private readonly bucket: TokenBucket;
  private readonly cost: (value: T) => number;
  private readonly maxHeld: number;
  private readonly clock: SchedulerLike;
  private timer: Subscription | undefined;
  private sourceDone = false;

  constructor(downstream: Subscriber<Delivery<T>>, options: RateLimitOptions<T>) {
    super(downstream);
    this.bucket = new TokenBucket({ ratePerSecond: options.ratePerSecond, burst: options.burst ?? Math.max(1, options.ratePerSecond) });
    this.cost = options.cost ?? (() => 1);
    this.maxHeld = options.maxHeld ?? DEFAULT_MAX_HELD;
    this.clock = options.clock ?? asyncScheduler;
  }

  protected override _next(delivery: Delivery<T>): void {
    if (this.waiting.size >= this.maxHeld) {
      overflow(delivery, 'rateLimit', this.maxHeld);
      return;
    }
    const now = this.clock.now();
    let at: number;
    try {
      at = this.bucket.reserve(now, this.cost(delivery.value));
    } catch (error) {
      delivery.fail(error);
      return;
    }
    if (at <= now && this.waiting.size === 0) {
      this.downstream.next(delivery);
      return;
    }
    this.waiting.push({ delivery, at });
    this.arm();
  }

  protected override _complete(): void {
    this.sourceDone = true;
    if (this.waiting.size === 0) this.finish();
  }

  protected override closing(reason: string): void {
    this.timer?.unsubscribe();
    this.timer = undefined;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) release(next.delivery, reason);
  }

  private arm(): void {
    const next = this.waiting.peek();
    if (this.timer !== undefined || next === undefined) return;
    this.timer = this.clock.schedule(() => this.due(), Math.max(0, Math.ceil(next.at - this.clock.now())));
  }

  private due(): void {
    this.timer = undefined;
    const now = this.clock.now();
    for (let next = this.waiting.peek(); next !== undefined && next.at <= now; next = this.waiting.peek()) {
      // Taken off only when it goes: what comes in meanwhile queues behind those that still wait.
      this.waiting.shift();
      if (next.delivery.outcome === undefined) this.downstream.next(next.delivery);
    }
    if (this.closed) return;
    this.arm();
    if (this.sourceDone && this.waiting.size === 0) this.finish();
  }
}

/**
 * Lets items go on at a rate, first come, first served; what comes faster waits.
 *
 * ```marbles
 * in   abc--------------------|
 * out  a---------b---------c--|
 * ```
 *
 * Drawn with 100 a second and a burst of one. An item goes on at once as long as the bucket has tokens. Those that
 * wait are released at an early unsubscribe; when the source completes, they go on first.
 */
export function rateLimit<T>(options: RateLimitOptions<T>): MonoTypeOperatorFunction<Delivery<T>> {
  return stage((downstream) => new Limiting(downstream, options));
}
