import { type OperatorFunction, of, type Subscriber, type Subscription } from 'rxjs';
import type { Delivery } from './delivery.js';
import { release, Stage, stage } from './stage.js';

/** What became of one item inside the plain operator. */
class Passage<T, U> {
  readonly results: U[] = [];
  subscription: Subscription | undefined;
  done = false;

  constructor(readonly delivery: Delivery<T>) {}
}

class Lifted<T, U> extends Stage<Delivery<T>, Delivery<U>> {
  private readonly inside = new Set<Passage<T, U>>();
  private sourceDone = false;

  constructor(
    downstream: Subscriber<Delivery<U>>,
    private readonly operator: OperatorFunction<T, U>,
    private readonly reason: string,
  ) {
    super(downstream);
  }

  protected override _next(delivery: Delivery<T>): void {
    const passage = new Passage<T, U>(delivery);
    try {
      const subscription = this.operator(of(delivery.value)).subscribe({
        next: (result) => {
          passage.results.push(result);
        },
        error: (error: unknown) => {
          this.leave(passage);
          delivery.fail(error);
          this.finishIfIdle();
        },
        complete: () => {
          this.leave(passage);
          this.passOn(passage);
          this.finishIfIdle();
        },
      });
      if (passage.done) return;
      passage.subscription = subscription;
      if (this.closed) {
        subscription.unsubscribe();
        release(delivery, 'unsubscribed');
      } else {
        this.inside.add(passage);
        // What leaves while it is inside (it ran out of time, say) is not waited for.
        delivery.whenSettled(() => {
          if (passage.done) return;
          this.leave(passage);
          subscription.unsubscribe();
          this.finishIfIdle();
        });
      }
    } catch (error) {
      this.leave(passage);
      delivery.fail(error);
    }
  }

  protected override _complete(): void {
    this.sourceDone = true;
    this.finishIfIdle();
  }

  protected override closing(reason: string): void {
    const inside = [...this.inside];
    this.inside.clear();
    for (const { delivery, subscription } of inside) {
      subscription?.unsubscribe();
      release(delivery, reason);
    }
  }

  private leave(passage: Passage<T, U>): void {
    passage.done = true;
    this.inside.delete(passage);
  }

  private passOn({ delivery, results }: Passage<T, U>): void {
    if (delivery.outcome !== undefined) return;
    if (results.length === 0) {
      delivery.settle('filtered', this.reason);
    } else if (this.closed) {
      release(delivery, 'unsubscribed');
    } else if (results.length === 1) {
      this.downstream.next(delivery.with(results[0]!));
    } else {
      for (const part of delivery.fork(results)) {
        if (this.closed) release(part, 'unsubscribed');
        else this.downstream.next(part);
      }
    }
  }

  private finishIfIdle(): void {
    if (this.sourceDone && !this.closed && this.inside.size === 0) this.finish();
  }
}

/**
 * Runs a plain RxJS operator on each item by itself and settles as filtered what it drops.
 *
 * ```marbles
 * in        -a-b-c-|
 * out       -a---c-|
 * filtered  ---b----
 * ```
 *
 * Each item is a stream of one value to the operator, so state across items (`scan`, `bufferTime`, `distinct`) does not work here: that is
 * `perMessage`. Several results become parts of the item's claim. An item goes on when its little stream completes, and fails when that errors.
 * What is inside at an early unsubscribe is released; at completion it is finished first. Put `bounded` before an operator that takes its time.
 */
export function lift<T, U>(operator: OperatorFunction<T, U>, reason: string): OperatorFunction<Delivery<T>, Delivery<U>> {
  return stage((downstream) => new Lifted(downstream, operator, reason));
}
