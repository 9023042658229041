import type { Place } from '../diagnostics/index.js';
import type { Mode } from './action.js';
import type { Pluggable } from './definition.js';

/** What happens to the delivery when a plugin's own logic fails: the next plugin runs, the delivery is dead-lettered, or it is given back and its worker stops. */
export type OnError = 'continue' | 'dlq' | 'stop';

/** Which order asynchronous calls keep: that of the key (the default), none, or that of the source. */
export type Order = 'key' | 'none' | 'source';

export interface RetryPolicy {
  /** Attempts in total. */
  readonly attempts: number;
  /** The first pause, in milliseconds; it doubles from attempt to attempt, with equal jitter. */
  readonly base: number;
  /** The longest pause, in milliseconds. */
  readonly cap: number;
}

export interface BreakerPolicy {
  /** Failures within `window` that open the breaker, if they are at least half of the calls. */
  readonly failures: number;
  /** Milliseconds. */
  readonly window: number;
  /** How long it stays open, in milliseconds. */
  readonly open: number;
  /** Calls let through at once when it is half open. */
  readonly probes: number;
}

export interface RatePolicy {
  readonly per_second: number;
  /** The most that may go at once. Defaults to `per_second`. */
  readonly burst?: number;
}

/** One plugin of a configuration file: read, its variables filled in, its own `config` not yet checked. Durations are milliseconds. */
export interface PluginEntry {
  /** Unique within its domain. */
  readonly name: string;
  /** Which plugin of the catalogue. Defaults to the name; dash and underscore are equal. */
  readonly type: string;
  readonly module?: string | undefined;
  readonly class?: string | undefined;
  /** What the named module exported, where one was named that is not a built-in. */
  readonly plugin?: Pluggable | undefined;
  /** Whether the file speaks of every domain or of one: a plugin of another domain is left out of the first and an error in the second. */
  readonly scope: 'global' | 'domain';
  readonly enabled: boolean;
  /** Undefined: the plugin's own. */
  readonly priority?: number | undefined;
  readonly config: unknown;
  readonly domains?: readonly string[] | undefined;
  readonly stages?: readonly string[] | undefined;
  readonly event_types?: readonly string[] | undefined;
  /** A CEL expression. */
  readonly when?: string | undefined;
  /** The nestable any / all / not form. */
  readonly conditions?: unknown;
  /** Defaults to `continue`. */
  readonly on_error?: OnError | undefined;
  /** The time limit of one call and of one action. Defaults to 5 000. */
  readonly timeout?: number | undefined;
  /** How an inline action is tried again. */
  readonly retry?: RetryPolicy | undefined;
  readonly circuit_breaker?: BreakerPolicy | undefined;
  readonly rate_limit?: RatePolicy | undefined;
  /** How many actions of this plugin may run at once. */
  readonly concurrency?: number | undefined;
  readonly order?: Order | undefined;
  /** Undefined: `inline` for what is published, `background` for webhooks and e-mail. */
  readonly mode?: Mode | undefined;
  /** An action that failed for good sends the delivery to retry. Defaults to false. */
  readonly required?: boolean | undefined;
  readonly before?: readonly string[] | undefined;
  readonly after?: readonly string[] | undefined;
  /** A semver range that the plugin's version must satisfy. */
  readonly version?: string | undefined;
  readonly description?: string | undefined;
  readonly owner?: string | undefined;
  readonly docs?: string | undefined;
  /**
   * The place of a value, or of its key, by its path inside this entry (`['config', 'topic']`), `offset` characters into a value's text; of the
   * nearest thing around it when it is not there, of the entry itself for an empty path. Undefined when the entry comes from no file.
   */
  at(path: readonly (string | number)[], part?: 'value' | 'key', offset?: number): Place | undefined;
}
