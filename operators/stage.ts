import { Observable, type OperatorFunction, Subscriber } from 'rxjs';
import type { Delivery } from './delivery.js';

/**
 * What every operator here is made of: a link between a source and what comes after it. This is the one file that stands on the
 * inside of RxJS (`Subscriber` as a base class), because a link of its own costs a third less than `subscribe({ next })`.
 *
 * RxJS runs an operator's teardown after completion as well, so a link that holds something overrides `_complete` to finish first, and
 * `closing` sees only what is still held when somebody leaves early.
 */
export abstract class Stage<T, U> extends Subscriber<T> {
  constructor(protected readonly downstream: Subscriber<U>) {
    super(downstream);
  }

  protected abstract override _next(value: T): void;

  /** The source has nothing more. A link that holds items finishes them and then calls `finish`. */
  protected override _complete(): void {
    this.finish();
  }

  /** What is held is released (see `closing`), then the error goes on. */
  protected override _error(error: unknown): void {
    this.closing('the source failed');
    this.downstream.error(error);
    this.unsubscribe();
  }

  /** Completes what comes after and lets go of the source. */
  protected finish(): void {
    this.downstream.complete();
    this.unsubscribe();
  }

  /** Releases what is held; called when the source has been let go, and when the source fails. May be called again. */
  protected closing(_reason: string): void {
    // Most links hold nothing.
  }

  override unsubscribe(): void {
    if (this.closed) return;
    // The links before this one first: releasing an item frees a lane or a place, and whoever waits there must not be sent on into a link that is closing.
    super.unsubscribe();
    this.closing('unsubscribed');
  }
}

/** An operator from a link; one link is made for each subscription. */
export function stage<T, U>(create: (downstream: Subscriber<U>) => Stage<T, U>): OperatorFunction<T, U> {
  return (source) =>
    new Observable<U>((subscriber) => {
      source.subscribe(create(subscriber));
    });
}

/** Settles as released, unless it left already. */
export function release(delivery: Delivery<unknown>, reason: string): void {
  if (delivery.outcome === undefined) delivery.settle('released', reason);
}
