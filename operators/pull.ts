import { Observable, type Subscriber } from 'rxjs';
import type { DeliveriesOptions } from './deliveries.js';
import type { Delivery, Outcome } from './delivery.js';
import { OpenClaims } from './open-claims.js';

export interface PullOptions<T> extends DeliveriesOptions<T> {
  /** The most items that may be in flight at once: the next one is asked for only when one has left. */
  readonly credits: number;
}

/** So many items in one turn of the event loop, then timers and signals have theirs. */
const A_TURN = 500;

class Pump<T> {
  private readonly claims: OpenClaims<T>;
  private readonly iterator: Iterator<T> | AsyncIterator<T>;
  private readonly credits: number;
  private pumping = false;
  private asking = false;
  private resting = false;
  private done = false;
  private turn = 0;

  constructor(
    source: Iterable<T> | AsyncIterable<T>,
    private readonly subscriber: Subscriber<Delivery<T>>,
    options: PullOptions<T>,
  ) {
    this.credits = options.credits;
    this.claims = new OpenClaims<T>({
      ...options,
      onLeft: (value: T, outcome: Outcome, reason?: string) => {
        try {
          if (reason === undefined) options.onLeft?.(value, outcome);
          else options.onLeft?.(value, outcome, reason);
        } finally {
          this.pump();
        }
      },
    });
    this.iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  pump(): void {
    // An item that leaves while it is handed out comes back here: the loop below is already running.
    if (this.pumping || this.asking || this.resting) return;
    this.pumping = true;
    while (!this.done && this.claims.size < this.credits) {
      if (this.turn === A_TURN) {
        this.rest();
        break;
      }
      let step: IteratorResult<T> | Promise<IteratorResult<T>>;
      try {
        step = this.iterator.next();
      } catch (error) {
        this.failed(error);
        break;
      }
      if (step instanceof Promise) {
        this.asking = true;
        step.then(
          (result) => {
            this.asking = false;
            this.take(result);
            this.pump();
          },
          (error: unknown) => this.failed(error),
        );
        break;
      }
      this.take(step);
    }
    this.pumping = false;
  }

  /** Nobody listens any more: what is in flight goes back, unless the source had ended by itself. */
  leave(): void {
    const ended = this.done;
    this.done = true;
    this.claims.releaseAll('unsubscribed');
    if (ended) return;
    const closed = this.iterator.return?.();
    // The source's own clean-up may fail; there is nobody left whom it would stop.
    if (closed instanceof Promise) closed.catch((error: unknown) => this.claims.report(error));
  }

  private take(result: IteratorResult<T>): void {
    if (this.done) return;
    if (result.done === true) {
      this.done = true;
      this.claims.handOver();
      this.subscriber.complete();
      return;
    }
    this.turn += 1;
    this.subscriber.next(this.claims.open(result.value));
  }

  private failed(error: unknown): void {
    if (this.done) return;
    this.done = true;
    this.subscriber.error(error);
  }

  private rest(): void {
    this.resting = true;
    setImmediate(() => {
      this.resting = false;
      this.turn = 0;
      this.pump();
    });
  }
}

/**
 * Takes items from an iterable, no more at a time than there are credits: the source that a slow pipe can hold back.
 *
 * ```marbles
 * out  a--b--c--|
 * ```
 *
 * Drawn with one credit and three milliseconds of work behind it. Completes when the iterable ends, while the last items may still be worked on;
 * an error of the iterable releases what is in flight and goes on. An early unsubscribe releases it too and closes the iterator. At most 500 items
 * are handed out in one turn of the event loop. Keeps an entry for each item in flight.
 */
export function pull<T>(source: Iterable<T> | AsyncIterable<T>, options: PullOptions<T>): Observable<Delivery<T>> {
  return new Observable((subscriber) => {
    const pump = new Pump(source, subscriber, options);
    subscriber.add(() => pump.leave());
    pump.pump();
  });
}
