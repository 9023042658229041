import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs';
import type { Delivery } from './delivery.js';
import { DEFAULT_MAX_HELD, overflow } from './overflow.js';
import { Ring } from './ring.js';
import { release, Stage, stage } from './stage.js';

export interface InLanesOptions<T> {
  /** The key whose items keep their order; items of different keys do not wait for each other. */
  readonly key: (value: T, delivery: Delivery<T>) => string;
  /** The most items that wait behind their keys; one more fails with an `OverflowError`. Defaults to 100 000. */
  readonly maxHeld?: number;
}

/** One busy key: an item of it is in flight behind this operator, the others wait. */
class Lane<T> {
  /** Made for the first that waits: most lanes have none. */
  waiting: Ring<Delivery<T>> | undefined = undefined;
  busy = false;
  pumping = false;
}

class Lanes<T> extends Stage<Delivery<T>, Delivery<T>> {
  private readonly lanes = new Map<string, Lane<T>>();
  private readonly key: (value: T, delivery: Delivery<T>) => string;
  private readonly maxHeld: number;
  private held = 0;
  private sourceDone = false;

  constructor(downstream: Subscriber<Delivery<T>>, options: InLanesOptions<T>) {
    super(downstream);
    this.key = options.key;
    this.maxHeld = options.maxHeld ?? DEFAULT_MAX_HELD;
  }

  protected override _next(delivery: Delivery<T>): void {
    let key: string;
    try {
      key = this.key(delivery.value, delivery);
    } catch (error) {
      delivery.fail(error);
      return;
    }
    let lane = this.lanes.get(key);
    if (lane !== undefined) {
      if (this.held >= this.maxHeld) {
        overflow(delivery, 'inLanes', this.maxHeld);
        return;
      }
      this.held += 1;
      lane.waiting ??= new Ring(4);
      lane.waiting.push(delivery);
      return;
    }
    lane = new Lane<T>();
    this.lanes.set(key, lane);
    this.run(key, lane, delivery);
  }

  protected override _complete(): void {
    this.sourceDone = true;
    this.finishIfIdle();
  }

  protected override closing(reason: string): void {
    const lanes = [...this.lanes.values()];
    this.lanes.clear();
    this.held = 0;
    for (const lane of lanes) {
      for (let next = lane.waiting?.shift(); next !== undefined; next = lane.waiting?.shift()) release(next, reason);
    }
  }

  /** Lets an item go on and, as long as each leaves at once, those behind it: a loop, because a thousand items of one key must not be a thousand frames of the stack. */
  private run(key: string, lane: Lane<T>, first: Delivery<T>): void {
    lane.pumping = true;
    for (let next: Delivery<T> | undefined = first; next !== undefined; next = this.following(lane)) {
      lane.busy = true;
      next.whenSettled(() => {
        lane.busy = false;
        if (!lane.pumping) this.freed(key, lane);
      });
      if (next.outcome === undefined) this.downstream.next(next);
      if (lane.busy) break;
    }
    lane.pumping = false;
    if (!lane.busy && this.lanes.get(key) === lane) this.lanes.delete(key);
    this.finishIfIdle();
  }

  private freed(key: string, lane: Lane<T>): void {
    if (this.closed) return;
    const next = this.following(lane);
    if (next === undefined) this.lanes.delete(key);
    else this.run(key, lane, next);
  }

  private following(lane: Lane<T>): Delivery<T> | undefined {
    const next = this.closed ? undefined : lane.waiting?.shift();
    if (next !== undefined) this.held -= 1;
    return next;
  }

  private finishIfIdle(): void {
    if (this.sourceDone && !this.closed && this.held === 0) this.finish();
  }
}

/**
 * Holds an item back until the one before it with the same key has left, so that items of a key keep their order whatever happens to them
 * behind this operator; other keys go on meanwhile.
 *
 * ```marbles
 * in   aAb-------|
 * out  a-b-A-----|
 * ```
 *
 * Drawn with `a` and `A` of one key, `b` of another, and four milliseconds of work behind it.
 *
 * An item has left when its claim has ended and that is durable, however it ended: what fails or runs out of time frees its lane. A key is
 * remembered only while one of its items is in flight. When the source completes, those that wait go on in turn before this completes.
 */
export function inLanes<T>(options: InLanesOptions<T>): MonoTypeOperatorFunction<Delivery<T>> {
  return stage((downstream) => new Lanes(downstream, options));
}
