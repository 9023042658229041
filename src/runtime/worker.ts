import { Observable, Subject, type Subscription } from 'rxjs';
import type { Delivery, Origin, Outcome } from '../../operators/index.js';
import { reopen } from './reopen.js';

/** How one delivery left a worker. */
export interface Settled {
  readonly worker: string;
  readonly origin: Origin | undefined;
  readonly outcome: Outcome;
  readonly reason: string | undefined;
}

/** An item that failed: what it was when it failed, and why. */
export interface Failure {
  readonly value: unknown;
  readonly error: unknown;
}

export interface WorkerParts<T> {
  readonly name: string;
  /** What comes in. The worker settles each of its deliveries exactly once. */
  readonly source: Observable<Delivery<T>>;
  /** Drains the worker: nothing more is taken, what is in flight is finished, then the observable completes. */
  readonly signal?: AbortSignal | undefined;
  /** The worker's own steps; what comes out of them is settled as delivered. */
  steps(deliveries$: Observable<Delivery<T>>): Observable<Delivery<unknown>>;
  /** Where failed items go: retried or dead-lettered; what comes out is settled as delivered. An item that fails here as well is released. */
  failures(failures$: Observable<Delivery<Failure>>): Observable<Delivery<unknown>>;
  /** What is made durable with the end of a delivery beside what its steps carried. */
  atEnd?(origin: Origin | undefined, outcome: Outcome): readonly unknown[];
}

/**
 * Runs a worker's steps over a source and tells how each delivery left.
 *
 * Every delivery of the source gets a claim of the worker's own around the source's: what the steps carry is handed down with the outcome, an item
 * that fails goes to `failures`. When the source errors, what is in flight is finished and the error goes on. Unsubscribing releases what is in flight.
 */
export function worker<T>(parts: WorkerParts<T>): Observable<Settled> {
  return new Observable<Settled>((subscriber) => {
    const run = new WorkerRun(parts, subscriber);
    run.start();
    return () => run.stop();
  });
}

interface SettledObserver {
  next(settled: Settled): void;
  error(error: unknown): void;
  complete(): void;
}

class WorkerRun<T> {
  private readonly input = new Subject<Delivery<T>>();
  private readonly failed = new Subject<Delivery<Failure>>();
  private readonly inFlight = new Set<Delivery<T>>();
  private readonly subscriptions: Subscription[] = [];
  private inputEnded = false;
  private sourceError: { readonly error: unknown } | undefined;
  private stepsDone = false;
  private stopped = false;
  private readonly onAbort = (): void => this.endInput();

  constructor(
    private readonly parts: WorkerParts<T>,
    private readonly observer: SettledObserver,
  ) {}

  start(): void {
    const deliver = (delivery: Delivery<unknown>): void => delivery.settle('delivered');
    this.subscriptions.push(
      this.parts.failures(this.failed).subscribe({ next: deliver, error: (error: unknown) => this.broken(error) }),
      this.parts.steps(this.input).subscribe({
        next: deliver,
        error: (error: unknown) => this.broken(error),
        complete: () => {
          this.stepsDone = true;
          this.maybeEnd();
        },
      }),
    );
    this.parts.signal?.addEventListener('abort', this.onAbort, { once: true });
    if (this.parts.signal?.aborted) this.endInput();
    if (this.stopped) return;
    this.subscriptions.push(
      this.parts.source.subscribe({
        next: (delivery) => this.take(delivery),
        error: (error: unknown) => {
          this.sourceError = { error };
          this.endInput();
        },
        complete: () => this.endInput(),
      }),
    );
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.parts.signal?.removeEventListener('abort', this.onAbort);
    // The newest first: a lane that one frees must not let the next of it begin, which is going as well.
    for (const delivery of [...this.inFlight].reverse()) delivery.settle('released', 'the worker was stopped');
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  private take(outer: Delivery<T>): void {
    if (outer.outcome !== undefined) return;
    const delivery: Delivery<T> = reopen(outer, outer.value, {
      onFailure: (error, item) => this.fail(error, item),
      onEnding: (outcome) => this.parts.atEnd?.(outer.origin, outcome) ?? [],
      onSettled: (outcome, reason) => this.left(delivery, outcome, reason),
    });
    this.inFlight.add(delivery);
    if (this.inputEnded) delivery.settle('released', 'draining');
    else this.input.next(delivery);
  }

  /** The item goes to the failures' pipe under a claim of its own: one that fails there as well is given back. */
  private fail(error: unknown, item: Delivery<unknown>): void {
    const failure: Failure = { value: item.value, error };
    this.failed.next(
      reopen(item, failure, { onFailure: (again) => item.settle('released', `the failure could not be handled: ${String(again)}`) }),
    );
  }

  private left(delivery: Delivery<T>, outcome: Outcome, reason: string | undefined): void {
    if (!this.inFlight.delete(delivery)) return;
    this.observer.next({ worker: this.parts.name, origin: delivery.origin, outcome, reason });
    this.maybeEnd();
  }

  private endInput(): void {
    if (this.inputEnded) return;
    this.inputEnded = true;
    this.input.complete();
    this.maybeEnd();
  }

  private maybeEnd(): void {
    if (this.stopped || !this.inputEnded || !this.stepsDone || this.inFlight.size > 0) return;
    this.stop();
    if (this.sourceError !== undefined) this.observer.error(this.sourceError.error);
    else this.observer.complete();
  }

  /** The steps themselves broke, which they promise not to: everything is given back and the error is told. */
  private broken(error: unknown): void {
    if (this.stopped) return;
    this.stop();
    this.observer.error(error);
  }
}
