import { type ClaimOwner, type Delivery, type Ending, openDelivery, type Outcome } from './delivery.js';
import { reportUnhandled } from './unhandled.js';

export interface OpenClaimsOptions<T> {
  onLeft?(value: T, outcome: Outcome, reason?: string): void;
  onFailure?(error: unknown, delivery: Delivery<unknown>): void;
}

/** The text of anything thrown, for a reason. */
export function wordingOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

class OpenClaim<T> implements ClaimOwner {
  before: OpenClaim<T> | undefined;
  after: OpenClaim<T> | undefined;
  delivery: Delivery<T> | undefined;

  constructor(
    private readonly claims: OpenClaims<T>,
    private readonly value: T,
  ) {}

  settled(ending: Ending, confirm: (outcome: Outcome) => void): void {
    this.claims.close(this);
    this.delivery = undefined;
    confirm(ending.outcome);
    this.claims.left(this.value, ending.outcome, ending.reason);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    this.claims.failed(error, delivery);
  }
}

/** The claims that a source without a log opened and that have not ended: a linked list, so that opening and closing cost the same however many are open. */
export class OpenClaims<T> {
  private first: OpenClaim<T> | undefined;
  private last: OpenClaim<T> | undefined;
  private handedOver = false;
  private count = 0;

  constructor(private readonly options: OpenClaimsOptions<T>) {}

  get size(): number {
    return this.count;
  }

  open(value: T): Delivery<T> {
    const claim = new OpenClaim<T>(this, value);
    claim.before = this.last;
    if (this.last === undefined) this.first = claim;
    else this.last.after = claim;
    this.last = claim;
    this.count += 1;
    const delivery = openDelivery(value, undefined, claim);
    claim.delivery = delivery;
    return delivery;
  }

  close(claim: OpenClaim<T>): void {
    const { before, after } = claim;
    if (before !== undefined) before.after = after;
    else this.first = after;
    if (after !== undefined) after.before = before;
    else this.last = before;
    claim.before = undefined;
    claim.after = undefined;
    this.count -= 1;
  }

  left(value: T, outcome: Outcome, reason: string | undefined): void {
    try {
      this.options.onLeft?.(value, outcome, reason);
    } catch (error) {
      this.report(error);
    }
  }

  report(error: unknown): void {
    reportUnhandled(error);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    if (this.options.onFailure === undefined) {
      delivery.settle('released', wordingOf(error));
      return;
    }
    try {
      this.options.onFailure(error, delivery);
    } catch (thrown) {
      delivery.settle('released', wordingOf(error));
      this.report(thrown);
    }
  }

  /** The source has completed: whoever holds an item from now on finishes or releases it. */
  handOver(): void {
    this.handedOver = true;
  }

  /** Releases what is open, the oldest first, unless it was handed over. */
  releaseAll(reason: string): void {
    if (this.handedOver) return;
    while (this.first !== undefined) this.first.delivery!.settle('released', reason);
  }
}
