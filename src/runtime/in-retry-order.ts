import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { DEFAULT_MAX_HELD, overflow } from '../../operators/overflow.js';
import { release, Stage, stage } from '../../operators/stage.js';
import type { Line, Ticket } from './retry-order.js';
import { spillBehind, type SpillOptions } from './spill.js';

export interface InRetryOrderOptions<T> extends SpillOptions<T> {
  /** The key whose items keep their order; items of different keys do not wait for each other. */
  readonly key: (value: T, delivery: Delivery<T>) => string;
}

interface Waiting<T> {
  readonly delivery: Delivery<T>;
  readonly ticket: Ticket;
  /** How long it waits here, in milliseconds since 1970. */
  readonly until: number;
  /** It has waited so long, whatever the clock says. */
  overdue: boolean;
}

interface Lane<T> {
  readonly key: string;
  /** Those with a turn first, in order of their turns; then the others as they came. */
  readonly waiting: Waiting<T>[];
  busy: boolean;
  pumping: boolean;
  timer: NodeJS.Timeout | undefined;
}

class OrderedLanes<T> extends Stage<Delivery<T>, Delivery<T>> {
  private readonly lanes = new Map<string, Lane<T>>();
  private held = 0;
  private sourceDone = false;

  constructor(
    downstream: Subscriber<Delivery<T>>,
    private readonly options: InRetryOrderOptions<T>,
  ) {
    super(downstream);
  }

  protected override _next(delivery: Delivery<T>): void {
    const { order } = this.options;
    let key: string;
    try {
      key = this.options.key(delivery.value, delivery);
    } catch (error) {
      delivery.fail(error);
      return;
    }
    if (delivery.origin === undefined) {
      // Without a place in a log nothing is retried by way of one.
      this.downstream.next(delivery);
      return;
    }
    if (this.held >= DEFAULT_MAX_HELD) {
      overflow(delivery, 'inRetryOrder', DEFAULT_MAX_HELD);
      return;
    }
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = { key, waiting: [], busy: false, pumping: false, timer: undefined };
      this.lanes.set(key, lane);
    }
    insert(lane.waiting, { delivery, ticket: order.enter(key, delivery.origin), until: Date.now() + order.waitMs, overdue: false });
    this.held += 1;
    this.pump(lane);
  }

  protected override _complete(): void {
    this.sourceDone = true;
    for (const lane of this.lanes.values()) this.pump(lane);
    this.finishIfIdle();
  }

  protected override closing(reason: string): void {
    const lanes = [...this.lanes.values()];
    this.lanes.clear();
    this.held = 0;
    for (const { waiting, timer } of lanes) {
      clearTimeout(timer);
      for (const { delivery } of waiting.splice(0)) release(delivery, reason);
    }
  }

  /** Lets those of a lane go on as far as they may: a loop, because many of one key must not be as many frames of the stack. */
  private pump(lane: Lane<T>): void {
    if (lane.pumping || this.closed) return;
    lane.pumping = true;
    clearTimeout(lane.timer);
    while (!lane.busy && !this.closed && lane.waiting.length > 0 && this.step(lane));
    lane.pumping = false;
    if (!lane.busy && lane.waiting.length === 0) this.lanes.delete(lane.key);
    this.finishIfIdle();
  }

  /** Whether one has left the lane. */
  private step(lane: Lane<T>): boolean {
    const { order } = this.options;
    const first = lane.waiting[0]!;
    if (first.delivery.outcome !== undefined) {
      this.take(lane, 0);
      return true;
    }
    const now = Date.now();
    let line: Line | undefined;
    try {
      line = order.lineOf(lane.key, now);
    } catch (error) {
      this.take(lane, 0).delivery.fail(error);
      return true;
    }
    const passing = lane.waiting.findIndex(({ ticket }) => order.mayPass(ticket, line));
    if (passing !== -1) {
      this.occupy(lane, this.take(lane, passing).delivery, (delivery) => this.downstream.next(delivery));
      return true;
    }
    if (this.sourceDone) {
      this.releaseAll(lane, 'the one before it is retried');
      return true;
    }
    if (first.overdue || first.until <= now || line!.dueAt > first.until || lane.waiting.length > order.maxWaiting) {
      const { delivery, ticket } = this.take(lane, 0);
      this.occupy(lane, delivery, () => spillBehind(line!, { delivery, ticket }, this.options));
      return true;
    }
    // The clock may be set back meanwhile: nothing waits longer than it should.
    const left = Math.min(first.until - now, order.waitMs);
    const ends = line!.expiresAt - now;
    lane.timer = setTimeout(
      () => {
        first.overdue = left <= ends;
        this.pump(lane);
      },
      Math.min(left, ends),
    );
    return false;
  }

  private occupy(lane: Lane<T>, delivery: Delivery<T>, begin: (delivery: Delivery<T>) => void): void {
    if (delivery.outcome !== undefined) return;
    lane.busy = true;
    delivery.whenSettled((outcome) => {
      lane.busy = false;
      // What was given back comes again, but not to us: those behind it must not be done before it.
      if (outcome === 'released' && this.sourceDone) this.releaseAll(lane, 'the one before it was given back');
      this.pump(lane);
    });
    begin(delivery);
  }

  private releaseAll(lane: Lane<T>, reason: string): void {
    const waiting = lane.waiting.splice(0);
    this.held -= waiting.length;
    for (const { delivery } of waiting.toReversed()) release(delivery, reason);
  }

  private take(lane: Lane<T>, at: number): Waiting<T> {
    this.held -= 1;
    return lane.waiting.splice(at, 1)[0]!;
  }

  private finishIfIdle(): void {
    if (this.sourceDone && !this.closed && this.held === 0) this.finish();
  }
}

function insert<T>(waiting: Waiting<T>[], one: Waiting<T>): void {
  const { turn } = one.ticket;
  const after = ({ ticket: { turn: other } }: Waiting<T>): boolean =>
    other === undefined || (other.chain === turn!.chain && other.turn > turn!.turn);
  const at = turn === undefined ? -1 : waiting.findIndex(after);
  if (at === -1) waiting.push(one);
  else waiting.splice(at, 0, one);
}

/**
 * Lanes whose order holds across retries: an item waits until the one before it with the same key has left, and when that one is retried, until its
 * retry has left for good. It waits in place for a bounded time, and among a bounded number; then it goes to the same retry topic, behind the one
 * that it waits for, without counting as an attempt.
 *
 * Who comes back from a retry topic before its turn waits like the others. What nobody waits for any more (`giveUpMs` after it was due) is passed by.
 * Lanes are remembered while something of them is here, turns in the mark store of `order`. When the source completes, those that may go on do, and those that wait for a
 * retry, or for one that is given back, are released.
 */
export function inRetryOrder<T>(options: InRetryOrderOptions<T>): MonoTypeOperatorFunction<Delivery<T>> {
  return stage((downstream) => new OrderedLanes(downstream, options));
}
