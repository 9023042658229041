import type { OperatorFunction, Subscriber } from 'rxjs';
import type { Delivery } from './delivery.js';
import { release, Stage, stage } from './stage.js';

class Splitting<T, U> extends Stage<Delivery<T>, Delivery<U>> {
  constructor(
    downstream: Subscriber<Delivery<U>>,
    private readonly parts: (value: T, delivery: Delivery<T>) => readonly U[],
  ) {
    super(downstream);
  }

  protected override _next(delivery: Delivery<T>): void {
    let parts: readonly U[];
    try {
      parts = this.parts(delivery.value, delivery);
    } catch (error) {
      delivery.fail(error);
      return;
    }
    if (parts.length === 1) {
      this.downstream.next(delivery.with(parts[0]!));
      return;
    }
    for (const part of delivery.fork(parts)) {
      // Somebody may leave between two parts: what he has not seen goes back.
      if (this.closed) release(part, 'unsubscribed');
      else this.downstream.next(part);
    }
  }
}

/**
 * Makes several items of one. The item leaves when all its parts have: as released if any part was, else as delivered.
 *
 * ```marbles
 * in         -m-----n-|
 * out        -(ab)----|
 * delivered  -m-----n--
 * ```
 *
 * Drawn with `m` made of `a` and `b`, and `n` of nothing: an item without parts is delivered at once. A throw fails the item. Holds nothing.
 */
export function split<T, U>(parts: (value: T, delivery: Delivery<T>) => readonly U[]): OperatorFunction<Delivery<T>, Delivery<U>> {
  return stage((downstream) => new Splitting(downstream, parts));
}
