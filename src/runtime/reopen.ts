import { type ClaimOwner, type Delivery, type Ending, type Outcome, openDelivery } from '../../operators/index.js';

export interface ReopenHooks {
  /** An item of the inner claim failed; whoever answers must settle it. */
  onFailure(error: unknown, delivery: Delivery<unknown>): void;
  /** The claim ends, and not by release: what is to be made durable with it beside what it carries. What throws here releases the claim. */
  onEnding?(outcome: Outcome): readonly unknown[];
  /** The claim has ended, durably. */
  onSettled?(outcome: Outcome, reason: string | undefined): void;
}

/**
 * A claim around another's: what it carries and how it ends go down to the outer one, failures stay with `hooks`. When the outer one ends first (its
 * partition was taken away), this one ends with it, so that whoever still waits with it does not begin.
 */
export function reopen<T>(outer: Delivery<unknown>, value: T, hooks: ReopenHooks): Delivery<T> {
  const claim = new InnerClaim(outer, hooks);
  const inner = openDelivery(value, outer.origin, claim);
  outer.whenSettled((outcome, reason) => claim.ended(inner, outcome, reason));
  return inner;
}

class InnerClaim implements ClaimOwner {
  private confirm: ((outcome: Outcome) => void) | undefined;

  constructor(
    private readonly outer: Delivery<unknown>,
    private readonly hooks: ReopenHooks,
  ) {}

  settled(ending: Ending, confirm: (outcome: Outcome) => void): void {
    this.confirm = confirm;
    let added: readonly unknown[] = [];
    try {
      if (ending.outcome !== 'released') added = this.hooks.onEnding?.(ending.outcome) ?? [];
    } catch (error) {
      this.outer.settle('released', `its end could not be prepared: ${String(error)}`);
      return;
    }
    for (const item of ending.carried) this.outer.carry(item);
    for (const item of added) this.outer.carry(item);
    this.outer.settle(ending.outcome, ending.reason);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    this.hooks.onFailure(error, delivery);
  }

  /** The outer claim has ended, durably. */
  ended(inner: Delivery<unknown>, outcome: Outcome, reason: string | undefined): void {
    if (this.confirm === undefined) inner.settle(outcome, reason);
    this.confirm?.(outcome);
    this.hooks.onSettled?.(outcome, reason);
  }
}
