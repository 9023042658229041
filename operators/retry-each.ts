import { asyncScheduler, type MonoTypeOperatorFunction, type SchedulerLike, type Subscriber, type Subscription } from 'rxjs';
import { Attempt, type Lender } from './attempt.js';
import { backoffMs, mayRetry, serverRetryAfterMs } from './backoff.js';
import type { Delivery } from './delivery.js';
import { categoryOf, retryAfterMsOf } from './failure.js';
import { release, Stage, stage } from './stage.js';

export interface RetryEachOptions {
  /** How often an item is tried in all. Defaults to 3. */
  readonly maxAttempts?: number;
  /** The first pause, in milliseconds; it doubles from then on, and half of it is drawn. Defaults to 1000. */
  readonly baseMs?: number;
  /** The longest pause, in milliseconds, also where the other side asked for more. Defaults to 30 000. */
  readonly capMs?: number;
  /** Whether a failure is worth another attempt. Defaults to every category but `permanent`. */
  readonly when?: (error: unknown) => boolean;
  /** A number from 0 up to 1. Defaults to `Math.random`. */
  readonly random?: () => number;
  /** Tells the time. Defaults to `asyncScheduler`. */
  readonly clock?: SchedulerLike;
}

class Retrying<T> extends Stage<Delivery<T>, Delivery<T>> implements Lender<T> {
  /** Failures so far of what is out. */
  private readonly out = new Map<Attempt<T>, number>();
  private readonly pausing = new Map<Delivery<T>, Subscription>();
  private readonly maxAttempts: number;
  private readonly baseMs: number;
  private readonly capMs: number;
  private readonly when: (error: unknown) => boolean;
  private readonly random: () => number;
  private readonly clock: SchedulerLike;
  private sourceDone = false;

  constructor(downstream: Subscriber<Delivery<T>>, options: RetryEachOptions) {
    super(downstream);
    this.maxAttempts = options.maxAttempts ?? 3;
    this.baseMs = options.baseMs ?? 1000;
    this.capMs = options.capMs ?? 30_000;
    this.when = options.when ?? (() => true);
    this.random = options.random ?? Math.random;
    this.clock = options.clock ?? asyncScheduler;
  }

  protected override _next(delivery: Delivery<T>): void {
    this.lend(delivery, 0);
  }

  protected override _complete(): void {
    this.sourceDone = true;
    this.finishIfIdle();
  }

  protected override closing(reason: string): void {
    const pausing = [...this.pausing];
    this.pausing.clear();
    this.out.clear();
    for (const [delivery, pause] of pausing) {
      pause.unsubscribe();
      release(delivery, reason);
    }
  }

  ended(attempt: Attempt<T>): void {
    this.out.delete(attempt);
    this.finishIfIdle();
  }

  failed(attempt: Attempt<T>, error: unknown): void {
    const failures = this.out.get(attempt) ?? 0;
    this.out.delete(attempt);
    const { delivery } = attempt;
    if (this.closed) {
      release(delivery, 'unsubscribed');
    } else if (this.again(error, failures)) {
      const pause = this.pauseAfter(error, failures);
      this.pausing.set(
        delivery,
        this.clock.schedule(() => {
          this.pausing.delete(delivery);
          if (delivery.outcome === undefined) this.lend(delivery, failures + 1);
          this.finishIfIdle();
        }, pause),
      );
    } else {
      delivery.fail(error);
    }
    this.finishIfIdle();
  }

  private again(error: unknown, failures: number): boolean {
    return mayRetry({ attempt: failures, maxAttempts: this.maxAttempts, category: categoryOf(error) }) && this.when(error);
  }

  private pauseAfter(error: unknown, failures: number): number {
    const { baseMs, capMs, random } = this;
    const retryAfterMs = retryAfterMsOf(error);
    return retryAfterMs === undefined
      ? backoffMs({ attempt: failures, baseMs, capMs, random })
      : serverRetryAfterMs({ retryAfterMs, capMs });
  }

  private lend(delivery: Delivery<T>, failures: number): void {
    const attempt = new Attempt(delivery, this);
    this.out.set(attempt, failures);
    this.downstream.next(attempt.loan);
  }

  private finishIfIdle(): void {
    if (this.sourceDone && !this.closed && this.out.size === 0 && this.pausing.size === 0) this.finish();
  }
}

/**
 * Sends an item that failed behind it once more, after a pause that grows; the last failure is passed to the item's owner.
 *
 * ```marbles
 * in      -a--------------|
 * out     -a-a---a--------|
 * failed  -------a---------
 * ```
 *
 * Drawn with three attempts, pauses of two and four milliseconds, and `a` failing each time. Permanent failures are not tried again; a `retryAfterMs`
 * on the error stands for the pause. A part of a forked item that fails is not tried again by itself. This is for pauses of seconds within one
 * process: longer ones belong into a retry topic. This completes when the source has and everything that went on has left; what pauses at an
 * early unsubscribe is released. An item that is tried again comes after those that went on meanwhile: where order per key matters, stand behind `inLanes`.
 */
export function retryEach<T>(options: RetryEachOptions = {}): MonoTypeOperatorFunction<Delivery<T>> {
  return stage((downstream) => new Retrying<T>(downstream, options));
}
