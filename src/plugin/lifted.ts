import { defaultIfEmpty, of, type OperatorFunction, type Subscription, take } from 'rxjs';
import type { Context } from './context.js';
import type { Given } from './definition.js';
import { filter, type Result } from './result.js';

/** A promise whose work can be given up, because nobody waits for it any more. */
export interface Abandonable {
  abandon(): void;
}

export function isAbandonable(value: object): value is Abandonable {
  return 'abandon' in value && typeof value.abandon === 'function';
}

/** One run of an operator on one context. Settled at once it costs no promise. */
class Run {
  answer: unknown;
  failure: { readonly error: unknown } | undefined;
  settled = false;
  private wake: (() => void) | undefined;

  constructor(private readonly context: unknown) {}

  next(value: unknown): void {
    this.answer = value === this.context ? undefined : value;
  }

  error(error: unknown): void {
    this.failure = { error };
    this.complete();
  }

  complete(): void {
    this.settled = true;
    this.wake?.();
  }

  later(subscription: Subscription): Promise<unknown> & Abandonable {
    const promise = new Promise<unknown>((resolve, reject) => {
      this.wake = () => {
        if (this.failure === undefined) resolve(this.answer);
        else reject(this.failure.error as Error);
      };
    });
    return Object.assign(promise, { abandon: () => subscription.unsubscribe() });
  }
}

/** An operator as a function: it runs on each context by itself; the first thing it emits is the answer, nothing emitted means filtered. */
export function lifted(name: string, operator: OperatorFunction<Given<Context>, unknown>): (context: Given<Context>) => unknown {
  const dropped: Result = filter(`${name} let nothing through`);
  return (context) => {
    const run = new Run(context);
    const subscription = of(context).pipe(operator, take(1), defaultIfEmpty<unknown, unknown>(dropped)).subscribe(run);
    if (!run.settled) return run.later(subscription);
    if (run.failure !== undefined) throw run.failure.error;
    return run.answer;
  };
}
