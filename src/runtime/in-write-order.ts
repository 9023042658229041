import type { MonoTypeOperatorFunction, Subscriber } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { DEFAULT_MAX_HELD, overflow } from '../../operators/overflow.js';
import { release, Stage, stage } from '../../operators/stage.js';
import { spillBehind, type SpillOptions } from './spill.js';

export interface InWriteOrderOptions<T> {
  /** The key whose items keep their order; items of different keys do not wait for each other. */
  readonly key: (value: T, delivery: Delivery<T>) => string;
  /** Keeps the order across retries too. Without it the next goes on once the one before it has left, by whatever door. */
  readonly retries?: SpillOptions<T> | undefined;
}

/** Those of one key in one partition. */
interface Lane<T> {
  readonly name: string;
  readonly key: string;
  /** Those that went on, or to the retry topic, and have not left. */
  readonly out: Set<Delivery<T>>;
  /** By offset. */
  readonly waiting: Delivery<T>[];
  pumping: boolean;
}

class WriteLanes<T> extends Stage<Delivery<T>, Delivery<T>> {
  private readonly lanes = new Map<string, Lane<T>>();
  private held = 0;
  private sourceDone = false;

  constructor(
    downstream: Subscriber<Delivery<T>>,
    private readonly options: InWriteOrderOptions<T>,
  ) {
    super(downstream);
  }

  protected override _next(delivery: Delivery<T>): void {
    let key: string;
    try {
      key = this.options.key(delivery.value, delivery);
    } catch (error) {
      delivery.fail(error);
      return;
    }
    if (this.held >= DEFAULT_MAX_HELD) {
      overflow(delivery, 'inWriteOrder', DEFAULT_MAX_HELD);
      return;
    }
    const { origin } = delivery;
    // Partitions are written each for itself: between two of them nobody may wait, or both may wait for each other.
    const name = origin === undefined ? key : `${origin.topic}/${origin.partition} ${key}`;
    let lane = this.lanes.get(name);
    if (lane === undefined) {
      lane = { name, key, out: new Set(), waiting: [], pumping: false };
      this.lanes.set(name, lane);
    }
    const behind = lane.waiting.findLastIndex((other) => offsetOf(other) <= offsetOf(delivery));
    lane.waiting.splice(behind + 1, 0, delivery);
    this.held += 1;
    this.pump(lane);
  }

  protected override _complete(): void {
    this.sourceDone = true;
    this.finishIfIdle();
  }

  protected override closing(reason: string): void {
    const lanes = [...this.lanes.values()];
    this.lanes.clear();
    this.held = 0;
    for (const { waiting } of lanes) for (const delivery of waiting.splice(0)) release(delivery, reason);
  }

  /** Lets those of a lane go on as far as they may: a loop, because many of one key must not be as many frames of the stack. */
  private pump(lane: Lane<T>): void {
    if (lane.pumping || this.closed) return;
    lane.pumping = true;
    for (let next = this.following(lane); next !== undefined; next = this.following(lane)) this.go(lane, next);
    lane.pumping = false;
    if (lane.out.size === 0 && lane.waiting.length === 0 && this.lanes.get(lane.name) === lane) this.lanes.delete(lane.name);
    this.finishIfIdle();
  }

  /** The first that waits, unless one before it has not left. One that comes again after those behind it went on waits for none of them: they are not written before it. */
  private following({ waiting, out }: Lane<T>): Delivery<T> | undefined {
    const [first] = waiting;
    if (this.closed || first === undefined) return undefined;
    for (const other of out) if (offsetOf(other) <= offsetOf(first)) return undefined;
    this.held -= 1;
    return waiting.shift();
  }

  private go(lane: Lane<T>, delivery: Delivery<T>): void {
    if (delivery.outcome !== undefined) return;
    lane.out.add(delivery);
    delivery.whenSettled(() => {
      lane.out.delete(delivery);
      this.pump(lane);
    });
    const { retries } = this.options;
    if (retries === undefined || delivery.origin === undefined) {
      this.downstream.next(delivery);
      return;
    }
    try {
      const ticket = retries.order.enter(lane.key, delivery.origin);
      const line = retries.order.lineOf(lane.key, Date.now());
      if (line !== undefined && !retries.order.mayPass(ticket, line)) {
        spillBehind(line, { delivery, ticket }, retries);
        return;
      }
    } catch (error) {
      delivery.fail(error);
      return;
    }
    this.downstream.next(delivery);
  }

  private finishIfIdle(): void {
    if (this.sourceDone && !this.closed && this.held === 0) this.finish();
  }
}

/** Without a place in a log it stands where it came. */
function offsetOf({ origin }: Delivery<unknown>): number {
  return origin?.offset ?? Number.MAX_SAFE_INTEGER;
}

/**
 * Lanes before a writer that writes the rows of a partition in the order of their offsets: an item waits until the one before it with the same key
 * has left, never for one with a higher offset, whose row could not be written before its own.
 *
 * Across retries nobody waits in place either, since what is retried comes back with a higher offset: an item whose predecessor lies on a retry topic
 * goes there at once, behind it, without counting as an attempt; so does one that comes back before its turn. The first turn alone goes on.
 *
 * An item that the log hands out again after it was released goes on at once, also past those of its key that went on meanwhile: the writer waits for it
 * with theirs. Lanes are remembered while something of them is here, turns in the mark store of `order`. When the source completes, those that wait go on
 * in turn before this completes.
 */
export function inWriteOrder<T>(options: InWriteOrderOptions<T>): MonoTypeOperatorFunction<Delivery<T>> {
  return stage((downstream) => new WriteLanes(downstream, options));
}
