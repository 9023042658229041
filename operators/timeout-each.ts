import { asyncScheduler, type MonoTypeOperatorFunction, type SchedulerLike, type Subscriber, type Subscription } from 'rxjs';
import { Attempt, type Lender } from './attempt.js';
import type { Delivery } from './delivery.js';
import { Stage, stage } from './stage.js';

export interface TimeoutEachOptions {
  /** How long an item may be in flight behind this operator, in milliseconds. */
  readonly withinMs: number;
  /** How often those in flight are looked at, in milliseconds; an item may overstay by so much. Defaults to a tenth of `withinMs`. */
  readonly sweepMs?: number;
  /** Tells the time. Defaults to `asyncScheduler`. */
  readonly clock?: SchedulerLike;
}

/** An item was in flight for too long and was taken back. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';

  constructor(readonly withinMs: number) {
    super(`did not leave within ${withinMs} ms`);
  }
}

class Timing<T> extends Stage<Delivery<T>, Delivery<T>> implements Lender<T> {
  /** Those that are out, oldest first, with the sweep from which their time counts. */
  private readonly out = new Map<Attempt<T>, number>();
  private readonly sweepMs: number;
  private readonly sweeps: number;
  private readonly clock: SchedulerLike;
  private sweep = 0;
  private timer: Subscription | undefined;
  private sourceDone = false;

  constructor(
    downstream: Subscriber<Delivery<T>>,
    private readonly options: TimeoutEachOptions,
  ) {
    super(downstream);
    this.sweepMs = options.sweepMs ?? Math.max(1, Math.floor(options.withinMs / 10));
    this.sweeps = Math.max(1, Math.ceil(options.withinMs / this.sweepMs));
    this.clock = options.clock ?? asyncScheduler;
  }

  protected override _next(delivery: Delivery<T>): void {
    const attempt = new Attempt(delivery, this);
    // Under way to the next look already: the time until then is a gift, so that nobody is taken back early.
    this.out.set(attempt, this.timer === undefined ? this.sweep : this.sweep + 1);
    this.downstream.next(attempt.loan);
    if (this.out.size > 0 && !this.closed) this.arm();
  }

  protected override _complete(): void {
    this.sourceDone = true;
    this.finishIfIdle();
  }

  protected override closing(): void {
    this.timer?.unsubscribe();
    this.timer = undefined;
    // Those behind hold them and release them.
    this.out.clear();
  }

  ended(attempt: Attempt<T>): void {
    this.out.delete(attempt);
    this.finishIfIdle();
  }

  failed(attempt: Attempt<T>, error: unknown): void {
    this.out.delete(attempt);
    attempt.delivery.fail(error);
    this.finishIfIdle();
  }

  private arm(): void {
    this.timer ??= this.clock.schedule(() => this.look(), this.sweepMs);
  }

  private look(): void {
    this.timer = undefined;
    this.sweep += 1;
    for (const [attempt, since] of this.out) {
      if (this.sweep - since < this.sweeps) break;
      this.out.delete(attempt);
      if (attempt.takeBack('ran out of time')) attempt.delivery.fail(new TimeoutError(this.options.withinMs));
    }
    if (this.closed) return;
    if (this.out.size > 0) this.arm();
    else this.finishIfIdle();
  }

  private finishIfIdle(): void {
    if (!this.sourceDone || this.closed || this.out.size > 0) return;
    this.finish();
  }
}

/**
 * Fails an item that has not left within a time, however it hangs behind this operator.
 *
 * ```marbles
 * in      -a-b-----------|
 * out     -a-------------|
 * failed  -----------b----
 * ```
 *
 * Drawn with eight milliseconds, before calls of which that for `b` never comes to an end. The item is taken back: those behind drop it when they are done with it, and its
 * lane (`inLanes`) is free. No timer is armed for a call: a sweep looks over those that are out, so a process that stood still is not taken for a slow call. This
 * completes when the source has and everything that went on has left.
 */
export function timeoutEach<T>(options: TimeoutEachOptions): MonoTypeOperatorFunction<Delivery<T>> {
  return stage((downstream) => new Timing<T>(downstream, options));
}
