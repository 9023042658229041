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
  /**
   * Calls the listener once, when the claim has ended and its end is durable; at once if that has happened already. Of several the last to listen
   * hears it first: operators nearer to the end have done their book-keeping before a lane behind the source lets the next item go.
   */
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

/** The claim and its first delivery are one object; other values of the same claim are views of it. */
class Claim<T> implements Delivery<T> {
  outcome: Outcome | undefined = undefined;
  private reason: string | undefined = undefined;
  private durable: Outcome | undefined = undefined;
  private failing = false;
  private carried: unknown[] | undefined = undefined;
  /** One listener is the rule, so the list is made for the second. */
  private listener: SettledListener | undefined = undefined;
  private listeners: SettledListener[] | undefined = undefined;

  constructor(
    readonly value: T,
    readonly origin: Origin | undefined,
    private readonly owner: ClaimOwner,
  ) {}

  settle(outcome: Outcome, reason?: string): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    this.reason = reason;
    const carried = outcome === 'released' ? NOTHING : (this.carried ?? NOTHING);
    this.carried = undefined;
    this.owner.settled({ origin: this.origin, outcome, reason, carried }, (durable) => this.confirm(durable));
  }

  fail(error: unknown): void {
    this.failAs(error, this);
  }

  /** Fails with the view that was at hand, so that the owner sees the value it failed with. */
  failAs(error: unknown, delivery: Delivery<unknown>): void {
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
    else if (this.listener === undefined) this.listener = listener;
    else if (this.listeners === undefined) this.listeners = [listener];
    else this.listeners.push(listener);
  }

  with<U>(value: U): Delivery<U> {
    return new View(value, this);
  }

  fork<U>(values: readonly U[]): readonly Delivery<U>[] {
    const owner = new Parts(this, values.length);
    const parts = values.map((value) => new Claim(value, this.origin, owner));
    // Somebody may end the whole while its parts are out (it ran out of time): then they are worth nothing any more, and those who hold them see it.
    if (parts.length > 0) {
      this.whenSettled(() => {
        for (const part of parts) part.settle('released', 'the whole left before its part');
      });
    }
    return parts;
  }

  private confirm(durable: Outcome): void {
    if (this.durable !== undefined) return;
    this.durable = durable;
    this.outcome = durable;
    const { listener, listeners } = this;
    this.listener = undefined;
    this.listeners = undefined;
    if (listeners === undefined) listener?.(durable, this.reason);
    else callAll([listener!, ...listeners].reverse(), durable, this.reason);
  }
}

/** Every listener hears of it, also when one before it throws; then the first error is thrown. */
function callAll(listeners: readonly SettledListener[], durable: Outcome, reason: string | undefined): void {
  const errors: unknown[] = [];
  for (const listener of listeners) {
    try {
      listener(durable, reason);
    } catch (error) {
      // Kept, not lost: it is thrown below when everybody has heard.
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/** Another value of a claim. */
class View<T> implements Delivery<T> {
  constructor(
    readonly value: T,
    readonly claim: Claim<unknown>,
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
    this.claim.failAs(error, this);
  }

  whenSettled(listener: SettledListener): void {
    this.claim.whenSettled(listener);
  }

  carry(item: unknown): void {
    this.claim.carry(item);
  }

  with<U>(value: U): Delivery<U> {
    return new View(value, this.claim);
  }

  fork<U>(values: readonly U[]): readonly Delivery<U>[] {
    return this.claim.fork(values);
  }
}

/** The owner of a claim's forks: it counts them home, and what they carried goes onto the whole. */
class Parts implements ClaimOwner {
  private released: string | undefined;
  private readonly confirms: ((outcome: Outcome) => void)[] = [];
  private readonly outcomes: Outcome[] = [];

  constructor(
    private readonly whole: Claim<unknown>,
    private open: number,
  ) {
    if (open === 0) whole.settle('delivered', 'no parts');
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
    if (this.released === undefined) this.whole.settle('delivered');
    else this.whole.settle('released', this.released);
  }

  failed(error: unknown, delivery: Delivery<unknown>): void {
    this.whole.failPart(error, delivery);
  }
}

function claimOf(delivery: Delivery<unknown>): Claim<unknown> | undefined {
  if (delivery instanceof Claim) return delivery as Claim<unknown>;
  return delivery instanceof View ? (delivery as View<unknown>).claim : undefined;
}

/** Whether two deliveries are values of one claim; the parts of a fork have claims of their own. */
export function sameClaim(one: Delivery<unknown>, other: Delivery<unknown>): boolean {
  const claim = claimOf(one);
  return claim === undefined ? one === other : claim === claimOf(other);
}

/** Hands a part that failed to the owner of the whole, which stays open for the other parts. */
export function failPart(whole: Delivery<unknown>, error: unknown, part: Delivery<unknown>): void {
  const claim = claimOf(whole);
  if (claim === undefined) whole.fail(error);
  else claim.failPart(error, part);
}

/** Opens a claim. The owner's `settled` is called exactly once for it, whatever happens to its forks and copies. */
export function openDelivery<T>(value: T, origin: Origin | undefined, owner: ClaimOwner): Delivery<T> {
  return new Claim(value, origin, owner);
}
