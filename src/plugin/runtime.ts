import type { ActionType, Mode } from './action.js';
import type { Context } from './context.js';
import type { Decide } from './conditions.js';
import type { Made } from './definition.js';
import type { BreakerPolicy, OnError, Order, RatePolicy, RetryPolicy } from './entry.js';

/** What a plugin decided about one context. */
export const VERDICTS = ['pass', 'skip', 'filter', 'act', 'amend', 'fail', 'timeout', 'rejected', 'not_matched'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Places of the verdicts in a plugin's cells. */
export const CELL: Readonly<Record<Verdict, number>> = {
  pass: 0,
  skip: 1,
  filter: 2,
  act: 3,
  amend: 4,
  fail: 5,
  timeout: 6,
  rejected: 7,
  not_matched: 8,
};

/** What an executor keeps to for the actions of one plugin. Durations are milliseconds. */
export interface ActionPolicy {
  readonly timeoutMs: number;
  readonly retry: RetryPolicy | undefined;
  readonly breaker: BreakerPolicy | undefined;
  readonly rate: RatePolicy | undefined;
  readonly concurrency: number | undefined;
}

export interface RuntimeSettings {
  readonly name: string;
  readonly type: string;
  readonly version: string;
  readonly priority: number;
  readonly made: Made;
  /** Whether it runs for a context of this stage; undefined means always. */
  readonly gate: Decide | undefined;
  readonly onError: OnError;
  readonly timeoutMs: number;
  readonly order: Order;
  readonly mode: Mode | undefined;
  readonly required: boolean;
  readonly breaker: BreakerPolicy;
  readonly policy: ActionPolicy;
  /** The actions that the plugin said it may ask for. */
  readonly actions: readonly ActionType[];
  readonly loads: readonly (() => void | PromiseLike<void>)[];
  readonly unloads: readonly (() => void | PromiseLike<void>)[];
}

/** What applies when nothing else is said: five failures within ten seconds, at least half of the calls, close a plugin for half a minute. */
export const DEFAULT_BREAKER: BreakerPolicy = { failures: 5, window: 10_000, open: 30_000, probes: 1 };
export const DEFAULT_TIMEOUT_MS = 5_000;

const CLOSED = 0;
const OPEN = 1;
const HALF_OPEN = 2;

const BUCKETS = 32;

/** One plugin as it stands in a chain, with what guards it: counters, breaker, sampled durations. */
export class PluginRuntime {
  readonly name: string;
  readonly settings: RuntimeSettings;
  readonly call: (context: never) => unknown;
  readonly gate: ((context: Context) => boolean) | undefined;
  /** Counts by verdict, in the order of `VERDICTS`. */
  readonly cells = new Float64Array(VERDICTS.length);
  /** Sampled durations by power of two of microseconds. */
  readonly durations = new Float64Array(BUCKETS);
  sampled = 0;
  sampledMs = 0;
  slowestMs = 0;
  /** Calls until the next one that is timed. */
  gap = 1;
  private draw: number;
  private state = CLOSED;
  private failures = 0;
  private windowStart = Number.NEGATIVE_INFINITY;
  private callsBefore = 0;
  private openUntil = 0;
  private probing = 0;

  constructor(settings: RuntimeSettings) {
    this.settings = settings;
    this.name = settings.name;
    this.gate = settings.gate;
    this.call = settings.made.call ?? (() => undefined);
    this.draw = seedOf(settings.name);
  }

  /** False in the ordinary case, in which nothing else need be asked. */
  get guarded(): boolean {
    return this.state !== CLOSED;
  }

  /** Whether a call may go ahead although the breaker is not closed. */
  enter(now: number): boolean {
    if (this.state === OPEN) {
      if (now < this.openUntil) return false;
      this.state = HALF_OPEN;
      this.probing = 0;
    }
    if (this.probing >= this.settings.breaker.probes) return false;
    this.probing += 1;
    return true;
  }

  /** A call under a breaker that is not closed has ended well. */
  recovered(): void {
    this.state = CLOSED;
    this.failures = 0;
    this.windowStart = Number.NEGATIVE_INFINITY;
  }

  /** True when this failure opened the breaker. */
  failed(now: number): boolean {
    const { failures, window, open } = this.settings.breaker;
    if (this.state === HALF_OPEN) {
      this.state = OPEN;
      this.openUntil = now + open;
      return true;
    }
    if (this.state === OPEN) return false;
    if (now - this.windowStart > window) {
      this.windowStart = now;
      this.callsBefore = this.calls() - 1;
      this.failures = 0;
    }
    this.failures += 1;
    if (this.failures < failures || this.failures * 2 < this.calls() - this.callsBefore) return false;
    this.state = OPEN;
    this.openUntil = now + open;
    return true;
  }

  /** A duration that was measured, in milliseconds; `every` is the mean distance to the next one. */
  measured(ms: number, every: number): void {
    this.sampled += 1;
    this.sampledMs += ms;
    if (ms > this.slowestMs) this.slowestMs = ms;
    const bucket = Math.min(BUCKETS - 1, Math.max(0, 32 - Math.clz32(Math.min(2 ** 31, ms * 1_000))));
    this.durations[bucket]! += 1;
    this.draw ^= this.draw << 13;
    this.draw ^= this.draw >>> 17;
    this.draw ^= this.draw << 5;
    this.gap = 1 + ((this.draw >>> 0) % (2 * every));
  }

  counts(): Readonly<Record<Verdict, number>> {
    return Object.fromEntries(VERDICTS.map((verdict, at) => [verdict, this.cells[at]!])) as Record<Verdict, number>;
  }

  private calls(): number {
    const cells = this.cells;
    let calls = 0;
    for (let at = 0; at < CELL.rejected; at += 1) calls += cells[at]!;
    return calls;
  }
}

function seedOf(name: string): number {
  let seed = 0x9e3779b9;
  for (let at = 0; at < name.length; at += 1) seed = Math.imul(seed ^ name.charCodeAt(at), 0x01000193);
  return seed === 0 ? 1 : seed;
}
