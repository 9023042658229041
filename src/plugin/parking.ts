import { asyncScheduler, type SchedulerLike, type Subscriber, type Subscription } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { DEFAULT_MAX_HELD, overflow } from '../../operators/overflow.js';
import { Ring } from '../../operators/ring.js';
import { release, Stage } from '../../operators/stage.js';
import type { Order } from './entry.js';

export interface ParkingOptions {
  /** How many deliveries may be waiting for a promise at once; those after them queue. Defaults to 256. */
  readonly slots?: number;
  /** The most deliveries held in all; one more fails. Defaults to 100 000. */
  readonly maxHeld?: number;
  /** What makes two deliveries follow one another. Defaults to the record's key, else the event id. */
  readonly key?: (delivery: Delivery<unknown>) => string;
  /** The clock that time limits are counted on. Defaults to `asyncScheduler`. */
  readonly clock?: SchedulerLike;
}

/** A place in the order of the source; what stands in it leaves when all before it have. */
class Place<O> {
  done = false;
  out: Delivery<O> | undefined;
}

/** A delivery that waits for a promise: its callbacks are made once and used again for others, unless it was given up. */
export class Ticket<I, O> {
  delivery: Delivery<I> | undefined;
  /** Where in the work it stopped, and with what. */
  index = 0;
  state: unknown;
  awaited: unknown;
  key: string | undefined;
  place: Place<O> | undefined;
  parked = false;
  draining = false;
  /** Given up: what settles late is nobody's. */
  dead = false;
  /** Sweeps left until its time is up. */
  sweeps = 0;
  at = -1;
  readonly ok: (value: unknown) => void;
  readonly err: (error: unknown) => void;

  constructor(parking: Parking<I, O>) {
    this.ok = (value) => {
      if (!this.dead) parking.resume(this, value, undefined);
    };
    this.err = (error) => {
      if (!this.dead) parking.resume(this, undefined, { error });
    };
  }
}

const SWEEPS = 16;
const MAX_SWEEP_MS = 1_000;

/**
 * A link whose work on a delivery may have to wait for a promise. While nothing waits a delivery goes straight through; else it keeps the
 * order that was asked for: behind its key, in the order of the source, or none. Time limits are counted in sweeps over those that wait,
 * so that a stalled event loop counts as one, and there is one timer however many wait.
 */
export abstract class Parking<I, O> extends Stage<Delivery<I>, Delivery<O>> {
  protected readonly clock: SchedulerLike;
  private readonly slots: number;
  private readonly maxHeld: number;
  private readonly keyOf: (delivery: Delivery<unknown>) => string;
  private readonly tickets: Ticket<I, O>[] = [];
  private readonly spare: Ticket<I, O>[] = [];
  private readonly waiting = new Ring<Delivery<I>>();
  private readonly lanes = new Map<string, Ring<Delivery<I>>>();
  private readonly window = new Ring<Place<O>>();
  private sweeper: Subscription | undefined;
  private held = 0;
  private ended = false;
  private pumping = false;

  constructor(
    downstream: Subscriber<Delivery<O>>,
    options: ParkingOptions,
    /** The shortest time limit there will be; sweeps are a sixteenth of it. */
    private readonly shortestMs: number,
  ) {
    super(downstream);
    this.clock = options.clock ?? asyncScheduler;
    this.slots = options.slots ?? 256;
    this.maxHeld = options.maxHeld ?? DEFAULT_MAX_HELD;
    this.keyOf = options.key ?? keyOfDelivery;
  }

  /** Works on a delivery: ends in `leave`, or in `park` and later `resumed`. */
  protected abstract begin(delivery: Delivery<I>, ticket: Ticket<I, O> | undefined): void;
  /** What a parked delivery waited for has settled; ends as `begin` does. */
  protected abstract resumed(ticket: Ticket<I, O>, value: unknown, failure: { readonly error: unknown } | undefined): void;
  /** The time of a parked delivery is up; ends as `begin` does. */
  protected abstract expired(ticket: Ticket<I, O>): void;

  protected override _next(delivery: Delivery<I>): void {
    if (this.held === 0 && this.lanes.size === 0 && !this.pumping) this.begin(delivery, undefined);
    else this.admit(delivery);
  }

  protected override _complete(): void {
    this.ended = true;
    this.finishWhenEmpty();
  }

  protected override closing(reason: string): void {
    this.sweeper?.unsubscribe();
    this.sweeper = undefined;
    for (const ticket of this.tickets.splice(0)) {
      ticket.dead = true;
      this.abandoned(ticket);
      release(ticket.delivery!, reason);
    }
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) release(next, reason);
    for (const lane of this.lanes.values()) for (let next = lane.shift(); next !== undefined; next = lane.shift()) release(next, reason);
    this.lanes.clear();
    for (let place = this.window.shift(); place !== undefined; place = this.window.shift()) {
      if (place.out !== undefined) release(place.out, reason);
    }
    this.held = 0;
  }

  /** Told of a parked delivery that is given back because the link is torn down. */
  protected abandoned(_ticket: Ticket<I, O>): void {
    // Most work cannot be called off.
  }

  /** Puts a delivery aside until `promise` settles or `timeoutMs` have passed. */
  protected park(parking: {
    readonly delivery: Delivery<I>;
    readonly ticket: Ticket<I, O> | undefined;
    readonly promise: PromiseLike<unknown>;
    readonly order: Order;
    readonly timeoutMs: number;
    readonly index: number;
    readonly state: unknown;
  }): void {
    const promise = Promise.resolve(parking.promise);
    const ticket = parking.ticket ?? this.take();
    ticket.delivery = parking.delivery;
    ticket.index = parking.index;
    ticket.state = parking.state;
    ticket.awaited = parking.promise;
    ticket.parked = true;
    ticket.at = this.tickets.length;
    this.tickets.push(ticket);
    this.held += 1;
    if (parking.order === 'key' && ticket.key === undefined) {
      const key = this.keyOf(parking.delivery);
      if (!this.lanes.has(key)) {
        this.lanes.set(key, new Ring(2));
        ticket.key = key;
      }
    }
    if (parking.order === 'source' && ticket.place === undefined) ticket.place = this.openPlace();
    const sweepMs = this.sweepMs();
    ticket.sweeps = Math.ceil(parking.timeoutMs / sweepMs) + (this.sweeper === undefined ? 0 : 1);
    this.sweeper ??= this.startSweeping(sweepMs);
    void Promise.prototype.then.call(promise, ticket.ok, ticket.err);
  }

  /** Called by a ticket, when its promise has settled in time. */
  resume(ticket: Ticket<I, O>, value: unknown, failure: { readonly error: unknown } | undefined): void {
    this.unpark(ticket);
    this.resumed(ticket, value, failure);
  }

  /** A delivery has left: on to what comes after, or not at all because somebody settled or failed it. */
  protected leave(ticket: Ticket<I, O> | undefined, out: Delivery<O> | undefined): void {
    if (ticket === undefined) {
      if (out !== undefined) this.downstream.next(out);
      return;
    }
    const { place, key, draining } = ticket;
    if (!draining) this.giveBack(ticket);
    if (place !== undefined) {
      place.done = true;
      place.out = out;
      this.flush();
    } else if (out !== undefined) this.downstream.next(out);
    if (draining) return;
    if (key !== undefined) this.drain(key);
    this.pump();
    this.finishWhenEmpty();
  }

  private admit(delivery: Delivery<I>): void {
    if (this.held >= this.maxHeld) {
      overflow(delivery, 'chain', this.maxHeld);
      return;
    }
    if (this.tickets.length >= this.slots || this.waiting.size > 0 || this.pumping) {
      this.waiting.push(delivery);
      this.held += 1;
    } else this.dispatch(delivery);
  }

  /** Begins a delivery whose turn it is, or puts it behind its key. */
  private dispatch(delivery: Delivery<I>): void {
    if (this.lanes.size > 0) {
      const lane = this.lanes.get(this.keyOf(delivery));
      if (lane !== undefined) {
        lane.push(delivery);
        this.held += 1;
        return;
      }
    }
    this.begin(delivery, this.window.size === 0 ? undefined : this.takePlaced());
  }

  /** Works off what stands behind a key whose first delivery has left, until one of them has to wait. */
  private drain(key: string): void {
    const lane = this.lanes.get(key);
    if (lane === undefined) return;
    for (let next = lane.shift(); next !== undefined; next = lane.shift()) {
      this.held -= 1;
      const ticket = this.window.size === 0 ? this.take() : this.takePlaced();
      ticket.key = key;
      ticket.draining = true;
      this.begin(next, ticket);
      ticket.draining = false;
      if (ticket.parked) return;
      this.giveBack(ticket);
      if (this.closed) return;
    }
    this.lanes.delete(key);
  }

  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (this.waiting.size > 0 && this.tickets.length < this.slots) {
      this.held -= 1;
      this.dispatch(this.waiting.shift()!);
    }
    this.pumping = false;
  }

  private flush(): void {
    for (let first = this.window.peek(); first?.done === true; first = this.window.peek()) {
      this.window.shift();
      this.held -= 1;
      if (first.out !== undefined) this.downstream.next(first.out);
    }
  }

  private finishWhenEmpty(): void {
    if (this.ended && this.held === 0 && this.lanes.size === 0 && !this.pumping && !this.closed) this.finish();
  }

  private unpark(ticket: Ticket<I, O>): void {
    const last = this.tickets.pop()!;
    if (last !== ticket) {
      this.tickets[ticket.at] = last;
      last.at = ticket.at;
    }
    ticket.parked = false;
    ticket.awaited = undefined;
    this.held -= 1;
    if (this.tickets.length > 0) return;
    this.sweeper?.unsubscribe();
    this.sweeper = undefined;
  }

  private openPlace(): Place<O> {
    const place = new Place<O>();
    this.window.push(place);
    this.held += 1;
    return place;
  }

  private take(): Ticket<I, O> {
    return this.spare.pop() ?? new Ticket<I, O>(this);
  }

  private takePlaced(): Ticket<I, O> {
    const ticket = this.take();
    ticket.place = this.openPlace();
    return ticket;
  }

  private giveBack(ticket: Ticket<I, O>): void {
    ticket.delivery = undefined;
    ticket.state = undefined;
    ticket.key = undefined;
    ticket.place = undefined;
    if (!ticket.dead && this.spare.length < this.slots) this.spare.push(ticket);
  }

  private sweepMs(): number {
    return Math.min(MAX_SWEEP_MS, Math.max(1, this.shortestMs / SWEEPS));
  }

  private startSweeping(sweepMs: number): Subscription {
    const sweep = (): void => this.sweep();
    return this.clock.schedule(function again() {
      sweep();
      if (!this.closed) this.schedule(undefined, sweepMs);
    }, sweepMs);
  }

  private sweep(): void {
    const late: Ticket<I, O>[] = [];
    for (const ticket of this.tickets) {
      ticket.sweeps -= 1;
      if (ticket.sweeps <= 0) late.push(ticket);
    }
    for (const ticket of late) {
      if (!ticket.parked || ticket.dead) continue;
      this.giveUp(ticket);
    }
  }

  /** The late promise keeps its dead ticket; the delivery goes on with a new one. */
  private giveUp(ticket: Ticket<I, O>): void {
    const heir = this.take();
    heir.delivery = ticket.delivery;
    heir.index = ticket.index;
    heir.state = ticket.state;
    heir.key = ticket.key;
    heir.place = ticket.place;
    ticket.dead = true;
    this.abandoned(ticket);
    this.unpark(ticket);
    ticket.delivery = undefined;
    ticket.state = undefined;
    this.expired(heir);
  }
}

function keyOfDelivery(delivery: Delivery<unknown>): string {
  const key = delivery.origin?.key;
  if (key !== undefined) return key;
  const { value } = delivery;
  return typeof value === 'object' && value !== null && 'event_id' in value ? String(value.event_id) : '';
}
