import { type ClaimOwner, type Delivery, type Ending, type Outcome, openDelivery } from '../../operators/index.js';

export interface ReopenHooks {
  /** An item of the inner claim failed; whoever answers must settle it. */
  onFailure(error: unknown, delivery: Delivery<unknown>): void;
  /** The claim has ended, durably. */
  onSettled?(outcome: Outcome, reason: string | undefined): void;
}

/** A claim around another's: what it carries and how it ends go down to the outer one, failures stay with `hooks`. */
export function reopen<T>(outer: Delivery<unknown>, value: T, hooks: ReopenHooks): Delivery<T> {
  return openDelivery(value, outer.origin, new InnerClaim(outer, hooks));
}

class InnerClaim implements ClaimOwner {
  constructor(
    private readonly outer: Delivery<unknown>,
    private readonly hooks: ReopenHooks,
  ) {}

  settled(ending: Ending, confirm: (outcome: Outcome) => void): void {
    for (const item of ending.carried) this.outer.carry(item);
    this.outer.whenSettled((outcome, reason) => {
      confirm(outcome);
      this.hooks.onSettled?.(outcome, reason);
    });
    this.outer.settle(ending.outcome, ending.reason);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    this.hooks.onFailure(error, delivery);
  }
}
