/** The door by which a delivery leaves. */
export type Outcome = 'delivered' | 'filtered' | 'retried' | 'dead_lettered' | 'released';

/** All five doors, in the order in which reports list them. */
export const OUTCOMES: readonly Outcome[] = ['delivered', 'filtered', 'retried', 'dead_lettered', 'released'];

/** Where a delivery comes from; offsets are counted by the log, timestamps are milliseconds since 1970. */
export interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: number;
}

export type SettledListener = (outcome: Outcome, reason?: string) => void;

/** One message in flight: its value, where it comes from, and the claim that must be settled once. */
export interface Delivery<out T> {
  readonly value: T;
  /** None in a bare pipe. */
  readonly origin: Origin | undefined;
  /** The door, once somebody has settled. */
  readonly outcome: Outcome | undefined;
  /** Ends the claim; the first call counts. Listeners hear of it when it is durable; what could not be made durable counts as released. */
  settle(outcome: Outcome, reason?: string): void;
  /** Hands the item to whoever opened the claim: a worker retries or dead-letters it, a bare pipe releases it. No door by itself; the first call counts. */
  fail(error: unknown): void;
  /** Calls the listener once, when the claim has ended and its end is durable; at once if that has happened already. */
  whenSettled(listener: SettledListener): void;
  /** Puts something on the claim which its owner makes durable together with the outcome (a record, a mark). Nothing of it happens when the claim is released. */
  carry(item: unknown): void;
  /** The same claim, another value. */
  with<U>(value: U): Delivery<U>;
  /** One claim in parts; it settles when all parts have: released if any was, else delivered. No parts settle it as delivered at once. */
  fork<U>(values: readonly U[]): readonly Delivery<U>[];
}

/** Whoever opened a claim: it hears of its end and makes it durable. */
export interface ClaimOwner {
  /**
   * The claim has ended. The owner answers by calling `confirm` once, with the outcome that became durable (`released` when it could not be).
   * `carried` is what was put on the claim; empty when the outcome is `released`.
   */
  settled(ending: Ending, confirm: (outcome: Outcome) => void): void;
  /** An item of the claim failed. The owner must see to it that `delivery` is settled. */
  failed(error: unknown, delivery: Delivery<unknown>): void;
}

export interface Ending {
  readonly origin: Origin | undefined;
  readonly outcome: Outcome;
  readonly reason: string | undefined;
  readonly carried: readonly unknown[];
}

const NOTHING: readonly unknown[] = [];

class Claim {
  outcome: Outcome | undefined;
  reason: string | undefined;
  private durable: Outcome | undefined;
  private failing = false;
  private carried: unknown[] | undefined;
  private listeners: SettledListener[] | undefined;

  constructor(
    private readonly owner: ClaimOwner,
    readonly origin: Origin | undefined,
  ) {}

  settle(outcome: Outcome, reason: string | undefined): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    this.reason = reason;
    const carried = outcome === 'released' ? NOTHING : (this.carried ?? NOTHING);
    this.carried = undefined;
    this.owner.settled({ origin: this.origin, outcome, reason, carried }, (durable) => this.confirm(durable));
  }

  fail(error: unknown, delivery: Delivery<unknown>): void {
    if (this.failing || this.outcome !== undefined) return;
    this.failing = true;
    this.owner.failed(error, delivery);
  }

  /** A part failed by itself: its siblings may still fail, so this claim is not marked. */
  failPart(error: unknown, part: Delivery<unknown>): void {
    this.owner.failed(error, part);
  }

  carry(item: unknown): void {
    if (this.outcome !== undefined) return;
    if (this.carried === undefined) this.carried = [item];
    else this.carried.push(item);
  }

  whenSettled(listener: SettledListener): void {
    if (this.durable !== undefined) listener(this.durable, this.reason);
    else if (this.listeners === undefined) this.listeners = [listener];
    else this.listeners.push(listener);
  }

  private confirm(durable: Outcome): void {
    if (this.durable !== undefined) return;
    this.durable = durable;
    this.outcome = durable;
    const listeners = this.listeners;
    this.listeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener(durable, this.reason);
  }
}

class ClaimedDelivery<T> implements Delivery<T> {
  constructor(
    readonly value: T,
    private readonly claim: Claim,
  ) {}

  get origin(): Origin | undefined {
    return this.claim.origin;
  }

  get outcome(): Outcome | undefined {
    return this.claim.outcome;
  }

  settle(outcome: Outcome, reason?: string): void {
    this.claim.settle(outcome, reason);
  }

  fail(error: unknown): void {
    this.claim.fail(error, this);
  }

  whenSettled(listener: SettledListener): void {
    this.claim.whenSettled(listener);
  }

  carry(item: unknown): void {
    this.claim.carry(item);
  }

  with<U>(value: U): Delivery<U> {
    return new ClaimedDelivery(value, this.claim);
  }

  fork<U>(values: readonly U[]): readonly Delivery<U>[] {
    const parts = new Parts(this, this.claim, values.length);
    return values.map((value) => new ClaimedDelivery(value, new Claim(parts, this.claim.origin)));
  }
}

/** The owner of a claim's forks: it counts them home, and what they carried goes onto the whole. */
class Parts implements ClaimOwner {
  private released: string | undefined;
  private readonly confirms: ((outcome: Outcome) => void)[] = [];
  private readonly outcomes: Outcome[] = [];

  constructor(
    private readonly whole: Delivery<unknown>,
    private readonly claim: Claim,
    private open: number,
  ) {
    if (open === 0) claim.settle('delivered', 'no parts');
  }

  settled(ending: Ending, confirm: (outcome: Outcome) => void): void {
    this.confirms.push(confirm);
    this.outcomes.push(ending.outcome);
    if (ending.outcome === 'released') this.released ??= ending.reason ?? 'a part was released';
    for (const item of ending.carried) this.whole.carry(item);
    this.open -= 1;
    if (this.open > 0) return;
    this.whole.whenSettled((durable) => {
      this.confirms.forEach((tell, part) => tell(durable === 'released' ? 'released' : this.outcomes[part]!));
    });
    if (this.released === undefined) this.claim.settle('delivered', undefined);
    else this.claim.settle('released', this.released);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    this.claim.failPart(error, delivery);
  }
}

/** Opens a claim. The owner's `settled` is called exactly once for it, whatever happens to its forks and copies. */
export function openDelivery<T>(value: T, origin: Origin | undefined, owner: ClaimOwner): Delivery<T> {
  return new ClaimedDelivery(value, new Claim(owner, origin));
}
