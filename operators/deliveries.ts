import type { OperatorFunction } from 'rxjs';
import type { Delivery, Outcome } from './delivery.js';
import { OpenClaims } from './open-claims.js';
import { Stage, stage } from './stage.js';

export interface DeliveriesOptions<T> {
  /** Hears of each item once, when it has left. */
  onLeft?(value: T, outcome: Outcome, reason?: string): void;
  /** Hears of a failure, and must see to it that the delivery is settled. Without it, what fails is released with the error's message as the reason. */
  onFailure?(error: unknown, delivery: Delivery<unknown>): void;
}

class Opening<T> extends Stage<T, Delivery<T>> {
  private readonly claims: OpenClaims<T>;

  constructor(downstream: Stage<T, Delivery<T>>['downstream'], options: DeliveriesOptions<T>) {
    super(downstream);
    this.claims = new OpenClaims(options);
  }

  protected override _next(value: T): void {
    this.downstream.next(this.claims.open(value));
  }

  protected override _complete(): void {
    // From here on whoever holds an item answers for it: the last actions may still be out.
    this.claims.handOver();
    this.finish();
  }

  protected override _error(error: unknown): void {
    this.downstream.error(error);
    this.unsubscribe();
  }

  protected override closing(reason: string): void {
    this.claims.releaseAll(reason);
  }
}

/**
 * Opens a claim for each value of a plain Observable: the end where values become deliveries. `values` is the other end.
 *
 * ```marbles
 * in   -a-b-|
 * out  -a-b-|
 * ```
 *
 * An early unsubscribe, or an error of the source, releases what is still in flight. Completion does not: what operators still hold, they finish.
 * Keeps an entry for each item in flight.
 */
export function deliveries<T>(options: DeliveriesOptions<T> = {}): OperatorFunction<T, Delivery<T>> {
  return stage((downstream) => new Opening(downstream, options));
}
