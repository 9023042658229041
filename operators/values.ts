import type { OperatorFunction } from 'rxjs';
import type { Delivery } from './delivery.js';
import { Stage, stage } from './stage.js';

class Taking<T> extends Stage<Delivery<T>, T> {
  private current: Delivery<T> | undefined;
  private leaving = false;

  protected override _next(delivery: Delivery<T>): void {
    if (delivery.outcome !== undefined) return;
    if (this.leaving) {
      delivery.settle('released', 'unsubscribed');
      return;
    }
    const outer = this.current;
    this.current = delivery;
    try {
      this.downstream.next(delivery.value);
      delivery.settle('delivered');
    } catch (error) {
      delivery.fail(error);
    } finally {
      this.current = outer;
    }
  }

  override unsubscribe(): void {
    // Somebody took a value and leaves (`take(1)`): that value was delivered, and its source is about to release what it still has in flight.
    this.leaving = true;
    this.current?.settle('delivered');
    super.unsubscribe();
  }
}

/**
 * Emits each item's value and then settles it as delivered: the end where deliveries become plain values again.
 *
 * ```marbles
 * in         -a-b-|
 * out        -a-b-|
 * delivered  -a-b--
 * ```
 *
 * Whatever must have happened before an item counts as delivered stands before `values`.
 */
export function values<T>(): OperatorFunction<Delivery<T>, T> {
  return stage((downstream) => new Taking<T>(downstream));
}
