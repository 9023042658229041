import { asyncScheduler, type MonoTypeOperatorFunction, type SchedulerLike, type Subscriber, type Subscription } from 'rxjs';
import { Attempt, type Lender } from './attempt.js';
import { CircuitBreaker, type CircuitBreakerOptions, type Entry } from './circuit-breaker.js';
import type { Delivery, Outcome } from './delivery.js';
import { categoryOf } from './failure.js';
import { DEFAULT_MAX_HELD, overflow } from './overflow.js';
import { Ring } from './ring.js';
import { release, Stage, stage } from './stage.js';

export interface BreakerOptions extends CircuitBreakerOptions {
  /** A breaker to share with others that ask the same side; its own options then count. */
  readonly circuit?: CircuitBreaker;
  /** `wait`: while it is open, items stay here in order, because being rejected is no attempt. `fail`: each fails at once with a `CircuitOpenError`. Defaults to `wait`. */
  readonly whenOpen?: 'wait' | 'fail';
  /** The most items that wait; one more fails with an `OverflowError`. Defaults to 100 000. */
  readonly maxHeld?: number;
  /** Tells the time. Defaults to `asyncScheduler`. */
  readonly clock?: SchedulerLike;
}

/** An item met an open breaker. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';
  readonly category = 'circuit_open';

  constructor(readonly retryAfterMs: number) {
    super(`the circuit breaker is open for another ${retryAfterMs} ms`);
  }
}

class Breaking<T> extends Stage<Delivery<T>, Delivery<T>> implements Lender<T> {
  private readonly waiting = new Ring<Delivery<T>>();
  private readonly entries = new Map<Attempt<T>, Entry>();
  private readonly circuit: CircuitBreaker;
  private readonly wait: boolean;
  private readonly maxHeld: number;
  private readonly clock: SchedulerLike;
  private timer: Subscription | undefined;
  private pumping = false;
  private sourceDone = false;

  constructor(downstream: Subscriber<Delivery<T>>, options: BreakerOptions) {
    super(downstream);
    this.circuit = options.circuit ?? new CircuitBreaker(options);
    this.wait = options.whenOpen !== 'fail';
    this.maxHeld = options.maxHeld ?? DEFAULT_MAX_HELD;
    this.clock = options.clock ?? asyncScheduler;
  }

  protected override _next(delivery: Delivery<T>): void {
    if (this.waiting.size === 0) {
      const entry = this.circuit.tryEnter(this.clock.now());
      if (entry.allowed) {
        this.lend(delivery, entry);
        return;
      }
      if (!this.wait) {
        delivery.fail(new CircuitOpenError(entry.retryAfterMs));
        return;
      }
      this.waiting.push(delivery);
      this.askAgain(entry.retryAfterMs);
    } else if (this.waiting.size < this.maxHeld) {
      this.waiting.push(delivery);
    } else {
      overflow(delivery, 'breaker', this.maxHeld);
    }
  }

  protected override _complete(): void {
    this.sourceDone = true;
    if (this.waiting.size === 0) this.finish();
  }

  protected override closing(reason: string): void {
    this.timer?.unsubscribe();
    this.timer = undefined;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) release(next, reason);
  }

  ended(attempt: Attempt<T>, outcome: Outcome): void {
    if (outcome === 'delivered' || outcome === 'filtered') this.circuit.succeeded(this.clock.now());
    else if (outcome !== 'released') this.circuit.failed(this.clock.now(), 'unknown');
    this.leave(attempt);
  }

  failed(attempt: Attempt<T>, error: unknown): void {
    this.circuit.failed(this.clock.now(), categoryOf(error));
    this.leave(attempt);
    attempt.delivery.fail(error);
  }

  partFailed(_attempt: Attempt<T>, error: unknown): void {
    this.circuit.failed(this.clock.now(), categoryOf(error));
  }

  private leave(attempt: Attempt<T>): void {
    const entry = this.entries.get(attempt);
    this.entries.delete(attempt);
    if (entry !== undefined) this.circuit.ended(entry);
    if (!this.closed) this.pump();
  }

  private lend(delivery: Delivery<T>, entry: Entry): void {
    const attempt = new Attempt(delivery, this);
    this.entries.set(attempt, entry);
    this.downstream.next(attempt.loan);
  }

  private pump(): void {
    if (this.pumping || this.waiting.size === 0) return;
    this.pumping = true;
    while (this.waiting.size > 0) {
      if (this.waiting.peek()!.outcome !== undefined) {
        this.waiting.shift();
        continue;
      }
      const entry = this.circuit.tryEnter(this.clock.now());
      if (!entry.allowed) {
        this.askAgain(entry.retryAfterMs);
        break;
      }
      this.lend(this.waiting.shift()!, entry);
    }
    this.pumping = false;
    if (this.sourceDone && !this.closed && this.waiting.size === 0) this.finish();
  }

  /** Half open and full is no matter of time: whoever is inside and ends lets the next one in. */
  private askAgain(retryAfterMs: number): void {
    if (this.timer !== undefined || this.closed || (retryAfterMs === 0 && this.entries.size > 0)) return;
    const pause = retryAfterMs > 0 ? retryAfterMs : FULL_PAUSE_MS;
    this.timer = this.clock.schedule(() => {
      this.timer = undefined;
      this.pump();
    }, Math.ceil(pause));
  }
}

/** A shared breaker may be full of calls that end elsewhere, unheard here: look again after so long. */
const FULL_PAUSE_MS = 100;

/**
 * Stops sending items on when too many in a row failed behind it, and tries again, with a few, after a while.
 *
 * ```marbles
 * in      abc-------------|
 * out     ab--------c-----|
 * failed  ab---------------
 * ```
 *
 * Drawn with a threshold of two, nine milliseconds open, and `a` and `b` failing. Permanent failures do not count; a released item counts neither way.
 * While open, items wait here, in order, and are not failed: nothing was attempted. Those that wait are released at an early unsubscribe; when the
 * source completes they go on first. Several operators may share one `circuit`.
 */
export function breaker<T>(options: BreakerOptions = {}): MonoTypeOperatorFunction<Delivery<T>> {
  return stage((downstream) => new Breaking<T>(downstream, options));
}
