import { asyncScheduler, type OperatorFunction, type SchedulerLike, type Subscriber, type Subscription } from 'rxjs';
import { type ClaimOwner, type Delivery, type Ending, openDelivery, type Outcome } from './delivery.js';
import { release, Stage, stage } from './stage.js';

export interface BatchWithinOptions<T> {
  /** A batch goes on when it has so many items. */
  readonly count: number;
  /** A batch goes on when its first item has waited so long, in milliseconds. */
  readonly withinMs: number;
  /** A batch goes on when its items weigh so much. Defaults to no limit. */
  readonly weight?: number;
  /** What an item weighs, bytes for instance. Defaults to 1. */
  readonly weightOf?: (value: T) => number;
  /** Tells the time. Defaults to `asyncScheduler`. */
  readonly clock?: SchedulerLike;
}

/** Several items as one. */
export interface Batch<T> {
  /** The values, in order of arrival. */
  readonly values: readonly T[];
  /** The items themselves, to settle or fail one of them alone: the rest of the batch goes its way. */
  readonly members: readonly Delivery<T>[];
}

/** The owner of a batch's claim: how the batch ends, its members end. */
class Members<T> implements ClaimOwner {
  constructor(private readonly members: readonly Delivery<T>[]) {}

  settled({ outcome, reason, carried }: Ending, confirm: (outcome: Outcome) => void): void {
    // What was put on the batch belongs to one transaction with its first member that is still open; the others follow.
    const bearer = this.members.find((member) => member.outcome === undefined);
    if (bearer !== undefined) for (const item of carried) bearer.carry(item);
    let open = this.members.length;
    let durable = outcome;
    for (const member of this.members) {
      member.whenSettled((as) => {
        if (as === 'released' && outcome !== 'released' && member === bearer) durable = 'released';
        open -= 1;
        if (open === 0) confirm(durable);
      });
    }
    for (const member of this.members) member.settle(outcome, reason);
  }

  failed(error: unknown, batch: Delivery<unknown>): void {
    let open = this.members.length;
    // Each member goes where its own owner sends it; the batch has left when the last of them has.
    for (const member of this.members) {
      member.whenSettled(() => {
        open -= 1;
        if (open === 0) batch.settle('delivered', 'its members left one by one');
      });
    }
    for (const member of this.members) member.fail(error);
  }
}

class Batching<T> extends Stage<Delivery<T>, Delivery<Batch<T>>> {
  private held: Delivery<T>[] = [];
  private weight = 0;
  private timer: Subscription | undefined;
  private readonly weightLimit: number;
  private readonly weightOf: (value: T) => number;
  private readonly clock: SchedulerLike;

  constructor(
    downstream: Subscriber<Delivery<Batch<T>>>,
    private readonly options: BatchWithinOptions<T>,
  ) {
    super(downstream);
    this.weightLimit = options.weight ?? Number.POSITIVE_INFINITY;
    this.weightOf = options.weightOf ?? (() => 1);
    this.clock = options.clock ?? asyncScheduler;
  }

  protected override _next(delivery: Delivery<T>): void {
    let weight: number;
    try {
      weight = this.weightOf(delivery.value);
    } catch (error) {
      delivery.fail(error);
      return;
    }
    this.held.push(delivery);
    this.weight += weight;
    if (this.held.length >= this.options.count || this.weight >= this.weightLimit) this.flush();
    else this.timer ??= this.clock.schedule(() => this.flush(), this.options.withinMs);
  }

  protected override _complete(): void {
    this.flush();
    if (!this.closed) this.finish();
  }

  protected override closing(reason: string): void {
    this.timer?.unsubscribe();
    this.timer = undefined;
    const held = this.held;
    this.held = [];
    for (const delivery of held) release(delivery, reason);
  }

  private flush(): void {
    this.timer?.unsubscribe();
    this.timer = undefined;
    const members = this.held.filter((delivery) => delivery.outcome === undefined);
    this.held = [];
    this.weight = 0;
    if (members.length === 0) return;
    const batch: Batch<T> = { values: members.map((member) => member.value), members };
    this.downstream.next(openDelivery(batch, undefined, new Members(members)));
  }
}

/**
 * Gathers items into batches that go on by count, by weight or by time, whichever comes first.
 *
 * ```marbles
 * in   -a-b-c----|
 * out  ---m-----n|
 * ```
 *
 * Drawn with batches of two within four milliseconds: `m` is `a` and `b`, `n` is `c`. The batch settles its members; a member that was settled or
 * failed by itself before is left alone, and a batch that fails fails each of them. At completion what is held goes on as a last batch, at an early unsubscribe
 * it is released. Holds at most `count` items.
 */
export function batchWithin<T>(options: BatchWithinOptions<T>): OperatorFunction<Delivery<T>, Delivery<Batch<T>>> {
  return stage((downstream) => new Batching(downstream, options));
}
