import type { OperatorFunction, Subscriber } from 'rxjs';
import type { Delivery } from './delivery.js';
import { Stage, stage } from './stage.js';

/** What a step answers for an item that ends here. */
export class Filtered {
  constructor(readonly reason: string) {}
}

/** Ends an item in a step of `perMessage` or `mapEach`: it is settled as filtered, with the reason. */
export function filtered(reason: string): Filtered {
  return new Filtered(reason);
}

/** Passes an item on (the same delivery, or `delivery.with(other)`), or filters it. A throw fails the item. */
export type Step<T, U> = (value: T, delivery: Delivery<T>) => Delivery<U> | Filtered;

class Steps<T, U> extends Stage<Delivery<T>, Delivery<U>> {
  constructor(
    downstream: Subscriber<Delivery<U>>,
    private readonly step: Step<T, U>,
  ) {
    super(downstream);
  }

  protected override _next(delivery: Delivery<T>): void {
    let result: Delivery<U> | Filtered;
    try {
      result = this.step(delivery.value, delivery);
    } catch (error) {
      delivery.fail(error);
      return;
    }
    if (result instanceof Filtered) delivery.settle('filtered', result.reason);
    else this.downstream.next(result);
  }
}

/**
 * Runs a step on each item, in order and at once; what the step throws fails that item, never the stream.
 *
 * ```marbles
 * in        -a-b-c-|
 * out       -a---c-|
 * filtered  ---b----
 * ```
 *
 * `create` is called once for each subscription, so whatever the step remembers lives in its closure. Holds nothing.
 */
export function perMessage<T, U = T>(create: () => Step<T, U>): OperatorFunction<Delivery<T>, Delivery<U>> {
  return stage((downstream) => new Steps(downstream, create()));
}
