import type { Observable } from 'rxjs';
import type { ActionType } from './action.js';
import type { PluginRuntime } from './runtime.js';

const EFFECTS = Symbol('penstock.effects');

/** Actions that plugins said they may ask for, by action, with who said so. */
export type DeclaredActions = ReadonlyMap<ActionType, string>;

/** Notes on a stream what may be asked for in it, so that whoever performs actions can say at assembly that it cannot. */
export function tagEffects<T>(stream: Observable<T>, runtimes: readonly PluginRuntime[]): Observable<T> {
  const declared = new Map<ActionType, string>(effectsOf(stream));
  for (const { name, settings } of runtimes) for (const action of settings.actions) if (!declared.has(action)) declared.set(action, name);
  if (declared.size > 0) Object.defineProperty(stream, EFFECTS, { value: declared });
  return stream;
}

export function effectsOf(stream: object): DeclaredActions {
  return EFFECTS in stream ? (stream[EFFECTS] as DeclaredActions) : new Map();
}
