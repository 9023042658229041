import { type ClaimOwner, type Delivery, type Ending, failPart, openDelivery, type Outcome, sameClaim } from './delivery.js';

/** Whoever lends a delivery out and wants to hear how it went before its owner does. */
export interface Lender<T> {
  /** The loan ended by one of the doors; the delivery is about to end the same way. */
  ended(attempt: Attempt<T>, outcome: Outcome): void;
  /** The item failed while it was lent, and was taken back. Whoever hears it fails the delivery or lends it again. */
  failed(attempt: Attempt<T>, error: unknown): void;
  /** A part of the item failed; its owner has been told, and the other parts go on. */
  partFailed?(attempt: Attempt<T>, error: unknown): void;
}

/**
 * A delivery on loan: behind `timeoutEach`, `retryEach` and `breaker` flows a claim of their own, so that they hear of a failure before the real
 * owner does, and can take the item back. What was taken back is settled for those behind (they drop it), and its late end means nothing.
 */
export class Attempt<T> implements ClaimOwner {
  private over = false;
  readonly loan: Delivery<T>;

  constructor(
    readonly delivery: Delivery<T>,
    private readonly lender: Lender<T>,
  ) {
    this.loan = openDelivery(delivery.value, delivery.origin, this);
    // Taken back by a lender before this one, or settled by its owner: then the loan is over as well.
    delivery.whenSettled(() => {
      if (this.takeBack('left before')) this.lender.ended(this, 'released');
    });
  }

  settled(ending: Ending, confirm: (outcome: Outcome) => void): void {
    if (this.over) {
      confirm(ending.outcome);
      return;
    }
    this.over = true;
    this.delivery.whenSettled(confirm);
    for (const item of ending.carried) this.delivery.carry(item);
    this.lender.ended(this, ending.outcome);
    this.delivery.settle(ending.outcome, ending.reason);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    if (this.over) {
      delivery.settle('released', 'taken back');
    } else if (sameClaim(delivery, this.loan)) {
      this.takeBack('failed');
      this.lender.failed(this, error);
    } else {
      failPart(this.delivery, error, delivery);
      this.lender.partFailed?.(this, error);
    }
  }

  /** Ends the loan without a word to the delivery; answers whether it was still out. */
  takeBack(reason: string): boolean {
    if (this.over) return false;
    this.over = true;
    this.loan.settle('released', reason);
    return true;
  }
}
