import type { MonoTypeOperatorFunction, OperatorFunction } from 'rxjs';
import { type Delivery, perMessage } from '../../operators/index.js';
import type { ChainSet, Context, Passed } from '../plugin/index.js';
import { frozen } from './frozen.js';

export type ChainOperator = OperatorFunction<Delivery<Context>, Delivery<Passed>>;

/** The chains of a worker by stage; a stage without one has no plugins. */
export type Chains = Readonly<Record<string, ChainOperator | undefined>>;

/** The chains of a set that have plugins at all: the others cost nothing. */
export function chainsOf(set: ChainSet, stages: readonly string[]): Chains {
  return Object.fromEntries(
    stages.map((name) => {
      const chain = set.stage(name);
      return [name, chain.plugins.length === 0 ? undefined : chain.operator];
    }),
  );
}

/** Performs what a chain's plugins asked for; filtered deliveries end here. */
export type Performing = OperatorFunction<Delivery<Passed>, Delivery<Context>>;

export interface StageOptions<T> {
  readonly chain: ChainOperator | undefined;
  readonly perform: Performing;
  readonly contextOf: (value: T, delivery: Delivery<T>) => Context;
  /** The value with the message that a plugin amended; called only when one did. */
  readonly amend: (value: T, message: unknown) => T;
  /** Told what a plugin at `error` chose. */
  readonly onVerdict?: (value: T, verdict: NonNullable<Passed['verdict']>) => T;
}

/** What a delivery was before its context was made; a symbol, so that no path of a condition can reach it. */
const BEFORE = Symbol('before');

interface Before<T> {
  readonly value: T;
  readonly message: unknown;
}
type WithBefore<T> = Context & { [BEFORE]: Before<T> };

/** The value that a context was made of; anything else is itself. What fails among plugins is found again by it. */
export function beforeContext(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (BEFORE in value) return (value as WithBefore<unknown>)[BEFORE].value;
  return 'context' in value && 'actions' in value ? beforeContext(value.context) : value;
}

/**
 * Runs the plugins of one stage on whatever flows; without plugins it is the source itself. What plugins see is frozen: one that writes into a message
 * fails, since what it wrote would go on unchecked and untold. A message is changed by an `amend` result.
 */
export function stage<T>({ chain, perform, contextOf, amend, onVerdict }: StageOptions<T>): MonoTypeOperatorFunction<Delivery<T>> {
  if (chain === undefined) return (deliveries$) => deliveries$;
  return (deliveries$) =>
    deliveries$.pipe(
      perMessage<T, Context>(() => (value, delivery) => {
        const context = contextOf(value, delivery) as WithBefore<T>;
        context[BEFORE] = { value, message: frozen(context.message) };
        frozen(context.data);
        frozen(context.headers);
        return delivery.with<Context>(context);
      }),
      chain,
      perform,
      perMessage<Context, T>(() => (context, delivery) => {
        const before = (context as WithBefore<T>)[BEFORE];
        const { verdict } = context as Context & Partial<Passed>;
        const value = context.message === before.message ? before.value : amend(before.value, context.message);
        return delivery.with(verdict === undefined || onVerdict === undefined ? value : onVerdict(value, verdict));
      }),
    );
}
