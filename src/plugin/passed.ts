import type { OperatorFunction } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import type { Action, PlannedAction } from './action.js';
import type { Context } from './context.js';

/** What a chain lets out: the context, and beside it the actions its plugins asked for. */
export interface Passed<C extends Context = Context> {
  readonly context: C;
  readonly actions: readonly PlannedAction[];
  /** Set when a plugin filtered the delivery but asked for actions: whoever performs them settles it as filtered afterwards. */
  readonly filtered: { readonly plugin: string; readonly reason: string } | undefined;
  /** What a plugin at `error` chose. */
  readonly verdict:
    | { readonly kind: 'retry'; readonly afterMs: number }
    | { readonly kind: 'dead_letter'; readonly reason: string }
    | undefined;
}

/** The ordered plugins of one (domain, stage), compiled into one operator. */
export interface StageChain {
  readonly domain: string;
  readonly stage: string;
  /** In the order in which they run; empty means the operator hands everything on as it is. */
  readonly plugins: readonly { readonly name: string; readonly type: string; readonly version: string; readonly priority: number }[];
  readonly operator: OperatorFunction<Delivery<Context>, Delivery<Passed>>;
}

/** Verdicts by plugin name since the set was made: `pass`, `skip`, `filter`, `act`, `amend`, `fail`, `timeout`, `rejected`, `not_matched`. */
export type PluginCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** All chains of one domain, from one loaded configuration. */
export interface ChainSet {
  readonly domain: string;
  /** A chain for every stage of the domain; stages without plugins have an empty one. */
  stage(name: string): StageChain;
  /** Calls `onLoad` once each, in order, within a time limit. */
  load(): Promise<void>;
  /** Calls `onUnload` once each, in reverse order, within a time limit. Idempotent. */
  unload(): Promise<void>;
  counts(): PluginCounts;
}

/** Performs one action; resolves when it is done, rejects when it is not. */
export type Perform<A extends Action = Action> = (action: A, planned: PlannedAction, context: Context) => void | PromiseLike<void>;
