import type { OperatorFunction, Subscriber } from 'rxjs';
import type { Delivery } from './delivery.js';
import { DEFAULT_MAX_HELD, overflow } from './overflow.js';
import { Filtered } from './per-message.js';
import { Ring } from './ring.js';
import { release, Stage, stage } from './stage.js';

export interface ConcurrencyOptions {
  /** The most items begun and not yet passed on. Defaults to 16. */
  readonly concurrency?: number;
  /** `source`: items go on in the order in which they came, so a slow one holds back those behind it. `none`: as they are ready. Defaults to `source`. */
  readonly order?: 'source' | 'none';
  /** The most items that wait to begin; one more fails with an `OverflowError`. Defaults to 100 000: credits at the source keep it far lower. */
  readonly maxHeld?: number;
}

/** A step that may take its time: a promise parks the item, anything else goes on at once. */
export type SlowStep<T, U> = (value: T, delivery: Delivery<T>) => Delivery<U> | Filtered | PromiseLike<Delivery<U> | Filtered>;

/** Where one parked item waits for its promise. Made once and used again; both callbacks belong to it, so a call costs one promise and nothing more. */
class Slot<T, U> {
  delivery: Delivery<T> | undefined;
  result: Delivery<U> | undefined;
  ready = false;
  /** Given up while its promise was out, so it must never be used again: the late answer would be somebody else's. */
  retired = false;
  at = -1;
  readonly fulfilled: (result: Delivery<U> | Filtered) => void;
  readonly rejected: (error: unknown) => void;

  constructor(calls: Calls<T, U>) {
    this.fulfilled = (result) => calls.fulfilled(this, result);
    this.rejected = (error) => calls.rejected(this, error);
  }
}

class Calls<T, U> extends Stage<Delivery<T>, Delivery<U>> {
  private readonly waiting = new Ring<Delivery<T>>();
  /** Parked or ready, in order of arrival; used only when order matters. */
  private readonly places = new Ring<Slot<T, U>>();
  private readonly taken: Slot<T, U>[] = [];
  private readonly free: Slot<T, U>[] = [];
  private readonly concurrency: number;
  private readonly ordered: boolean;
  private readonly maxHeld: number;
  private pumping = false;
  private sourceDone = false;

  constructor(
    downstream: Subscriber<Delivery<U>>,
    private readonly step: SlowStep<T, U>,
    options: ConcurrencyOptions,
  ) {
    super(downstream);
    this.concurrency = options.concurrency ?? 16;
    this.ordered = options.order !== 'none';
    this.maxHeld = options.maxHeld ?? DEFAULT_MAX_HELD;
  }

  protected override _next(delivery: Delivery<T>): void {
    // Asking only for a free slot would let this one overtake those that wait.
    if (this.taken.length < this.concurrency && this.waiting.size === 0) this.begin(delivery);
    else if (this.waiting.size < this.maxHeld) this.waiting.push(delivery);
    else overflow(delivery, 'a bounded call', this.maxHeld);
  }

  protected override _complete(): void {
    this.sourceDone = true;
    this.finishIfIdle();
  }

  protected override closing(reason: string): void {
    for (let waiting = this.waiting.shift(); waiting !== undefined; waiting = this.waiting.shift()) release(waiting, reason);
    // A slot whose promise is still out is left behind and never used again, so a late answer finds nothing to settle.
    for (let slot = this.taken.pop(); slot !== undefined; slot = this.taken.pop()) {
      const held = slot.delivery;
      slot.delivery = undefined;
      slot.result = undefined;
      if (held !== undefined) release(held, reason);
    }
  }

  private begin(delivery: Delivery<T>): void {
    let result: Delivery<U> | Filtered | PromiseLike<Delivery<U> | Filtered>;
    try {
      result = this.step(delivery.value, delivery);
    } catch (error) {
      delivery.fail(error);
      return;
    }
    if (result instanceof Filtered) {
      delivery.settle('filtered', result.reason);
    } else if ('then' in result) {
      const slot = this.take(delivery);
      if (this.ordered) this.places.push(slot);
      // What leaves while it is out (it ran out of time, say) makes room for the next.
      delivery.whenSettled(() => this.abandoned(slot, delivery));
      // A thenable of another kind may answer twice; a promise cannot.
      (result instanceof Promise ? result : Promise.resolve(result)).then(slot.fulfilled, slot.rejected);
    } else if (this.ordered && this.places.size > 0) {
      const slot = this.take(delivery);
      slot.result = result;
      slot.ready = true;
      this.places.push(slot);
    } else {
      this.downstream.next(result);
    }
  }

  fulfilled(slot: Slot<T, U>, result: Delivery<U> | Filtered): void {
    const delivery = slot.delivery;
    if (delivery === undefined) return;
    if (result instanceof Filtered) {
      slot.delivery = undefined;
      delivery.settle('filtered', result.reason);
    } else {
      slot.result = result;
    }
    this.settled(slot);
  }

  rejected(slot: Slot<T, U>, error: unknown): void {
    const delivery = slot.delivery;
    if (delivery === undefined) return;
    slot.delivery = undefined;
    delivery.fail(error);
    this.settled(slot);
  }

  private abandoned(slot: Slot<T, U>, delivery: Delivery<T>): void {
    if (slot.delivery !== delivery) return;
    slot.delivery = undefined;
    slot.result = undefined;
    slot.retired = true;
    this.settled(slot);
  }

  private settled(slot: Slot<T, U>): void {
    if (this.closed) return;
    slot.ready = true;
    if (this.ordered) {
      for (let next = this.places.peek(); next?.ready === true; next = this.places.peek()) {
        this.places.shift();
        this.passOn(next);
      }
    } else {
      this.passOn(slot);
    }
    this.pump();
    this.finishIfIdle();
  }

  private passOn(slot: Slot<T, U>): void {
    const result = slot.result;
    this.give(slot);
    // What left while it waited for its turn is not passed on.
    if (result !== undefined && result.outcome === undefined) this.downstream.next(result);
  }

  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (this.taken.length < this.concurrency && this.waiting.size > 0) {
      const next = this.waiting.shift()!;
      // What left while it waited is not begun.
      if (next.outcome === undefined) this.begin(next);
    }
    this.pumping = false;
  }

  private finishIfIdle(): void {
    if (this.sourceDone && !this.closed && this.taken.length === 0 && this.waiting.size === 0) this.finish();
  }

  private take(delivery: Delivery<T>): Slot<T, U> {
    const slot = this.free.pop() ?? new Slot<T, U>(this);
    slot.delivery = delivery;
    slot.at = this.taken.length;
    this.taken.push(slot);
    return slot;
  }

  private give(slot: Slot<T, U>): void {
    const last = this.taken.pop();
    if (last !== undefined && last !== slot) {
      this.taken[slot.at] = last;
      last.at = slot.at;
    }
    slot.delivery = undefined;
    slot.result = undefined;
    slot.ready = false;
    slot.at = -1;
    if (!slot.retired) this.free.push(slot);
  }
}

/**
 * Runs a step that may be asynchronous on each item, a bounded number at a time; `callEach` and `mapEach` are made of it.
 *
 * `create` is called once for each subscription. A step that answers at once never leaves the synchronous path; a throw or a rejection fails the
 * item. What waits or is out when somebody leaves is released; when the source completes, it is finished first.
 */
export function concurrently<T, U = T>(
  create: () => SlowStep<T, U>,
  options: ConcurrencyOptions = {},
): OperatorFunction<Delivery<T>, Delivery<U>> {
  return stage((downstream) => new Calls(downstream, create(), options));
}
