import type { Action } from './action.js';

/** What a plugin answers. Nothing at all means `pass`. */
export type Result = Pass | Skip | Filter | Act | Amend | Fail | Retry | DeadLetter;

export interface Pass {
  readonly kind: 'pass';
}
export interface Skip {
  readonly kind: 'skip';
  readonly reason: string;
}
export interface Filter {
  readonly kind: 'filter';
  readonly reason: string;
  readonly actions: readonly Action[];
}
export interface Act {
  readonly kind: 'act';
  readonly actions: readonly Action[];
}
export interface Amend<P = Readonly<Record<string, unknown>>> {
  readonly kind: 'amend';
  readonly patch: P;
  readonly actions: readonly Action[];
}
export interface Fail {
  readonly kind: 'fail';
  readonly error: unknown;
  readonly actions: readonly Action[];
}
export interface Retry {
  readonly kind: 'retry';
  readonly afterMs: number;
}
export interface DeadLetter {
  readonly kind: 'dead_letter';
  readonly reason: string;
}

const NONE: readonly Action[] = [];
const PASS: Pass = { kind: 'pass' };

/** The delivery goes on. */
export function pass(): Pass {
  return PASS;
}

/** The delivery goes on; this plugin had nothing to do with it. */
export function skip(reason: string): Skip {
  return { kind: 'skip', reason };
}

/** The delivery ends here as filtered, after its actions are done. At `error`, `retry` and `dlq` it goes on, with a warning. */
export function filter(reason: string, actions: readonly Action[] = NONE): Filter {
  return { kind: 'filter', reason, actions };
}

/** The delivery goes on, and these actions are done for it, in this order. */
export function act(...actions: readonly (Action | readonly Action[])[]): Act {
  return { kind: 'act', actions: isFlat(actions) ? actions : actions.flat() };
}

function isFlat(actions: readonly (Action | readonly Action[])[]): actions is readonly Action[] {
  for (const action of actions) if (Array.isArray(action)) return false;
  return true;
}

/** The message goes on with these fields in place of its own, if the stage's schema accepts it; else the plugin has failed. */
export function amend<const P extends object>(patch: P, actions: readonly Action[] = NONE): Amend<P> {
  return { kind: 'amend', patch, actions };
}

/** The plugin could not do its work; what follows is the entry's `on_error`. */
export function fail(error: unknown, actions: readonly Action[] = NONE): Fail {
  return { kind: 'fail', error, actions };
}

/** At `error` only: the delivery is tried again after so many milliseconds, whatever its error says. The first plugin that chooses decides. */
export function retry(afterMs: number): Retry {
  return { kind: 'retry', afterMs };
}

/** At `error` only: the delivery is dead-lettered, whatever its error says. The first plugin that chooses decides. */
export function deadLetter(reason: string): DeadLetter {
  return { kind: 'dead_letter', reason };
}
