export type BreakerState = 'closed' | 'open' | 'half_open';

export interface CircuitBreakerOptions {
  /** So many counted failures in a row open it. Defaults to 5. */
  readonly failureThreshold?: number;
  /** So many successes while half open close it. Defaults to 2. */
  readonly successThreshold?: number;
  /** How long after the last failure it stays open, in milliseconds. Defaults to 30 000. */
  readonly openMs?: number;
  /** The most calls at once while half open. Defaults to 3. */
  readonly halfOpenMax?: number;
  /** Failures of category `auth` do not count. Defaults to true. */
  readonly ignoreAuth?: boolean;
}

/** The answer to "may I call?". A call that was let in says how it went and then, however it went, that it has ended. */
export type Entry = { readonly allowed: true; readonly period: number } | { readonly allowed: false; readonly retryAfterMs: number };

export interface BreakerTotals {
  /** Calls that succeeded, failed or were rejected. */
  readonly calls: number;
  readonly successes: number;
  readonly failures: number;
  readonly rejected: number;
  readonly stateChanges: number;
}

const CLOSED_PERIOD = 0;
const ALLOWED_WHILE_CLOSED: Entry = { allowed: true, period: CLOSED_PERIOD };

/**
 * A circuit breaker without a clock of its own: every question carries the time. It never waits and holds no lock (B4).
 *
 * Closed, it counts failures in a row; open, it rejects until `openMs` after the last failure; half open, it lets `halfOpenMax` calls in at a
 * time, closes after `successThreshold` successes and opens again at the first counted failure. Permanent failures never count: the other side is
 * well, it was the question that was wrong.
 */
export class CircuitBreaker {
  private readonly failureThreshold: number;
  private readonly successThreshold: number;
  private readonly openMs: number;
  private readonly halfOpenMax: number;
  private readonly ignoreAuth: boolean;
  private current: BreakerState = 'closed';
  private failuresInRow = 0;
  private successesInRow = 0;
  private lastFailureAt = Number.NEGATIVE_INFINITY;
  /** Calls inside, of this half-open period. */
  private probes = 0;
  private period = CLOSED_PERIOD;
  private readonly counted = { successes: 0, failures: 0, rejected: 0, stateChanges: 0 };

  constructor(options: CircuitBreakerOptions = {}) {
    this.failureThreshold = options.failureThreshold ?? 5;
    this.successThreshold = options.successThreshold ?? 2;
    this.openMs = options.openMs ?? 30_000;
    this.halfOpenMax = options.halfOpenMax ?? 3;
    this.ignoreAuth = options.ignoreAuth ?? true;
  }

  get totals(): BreakerTotals {
    const { successes, failures, rejected, stateChanges } = this.counted;
    return { calls: successes + failures + rejected, successes, failures, rejected, stateChanges };
  }

  /** Lets a call in or rejects it, with the time until it is worth asking again (0: as soon as a call inside has ended). */
  tryEnter(now: number): Entry {
    if (this.current === 'closed') return ALLOWED_WHILE_CLOSED;
    if (this.isOpen(now)) return this.rejected(this.openFor(now));
    if (this.probes >= this.halfOpenMax) return this.rejected(0);
    this.probes += 1;
    return { allowed: true, period: this.period };
  }

  succeeded(_now: number): void {
    this.counted.successes += 1;
    this.failuresInRow = 0;
    if (this.current !== 'half_open') return;
    this.successesInRow += 1;
    if (this.successesInRow >= this.successThreshold) this.become('closed');
  }

  /** `category` is one of those of `PenstockError`; anything else counts as unknown. */
  failed(now: number, category: string): void {
    this.counted.failures += 1;
    if (category === 'permanent' || (category === 'auth' && this.ignoreAuth)) return;
    this.lastFailureAt = now;
    this.failuresInRow += 1;
    if (this.current === 'half_open') this.become('open');
    else if (this.current === 'closed' && this.failuresInRow >= this.failureThreshold) this.become('open');
  }

  /** Gives the place of a call back, whatever came of it (B14). A call let in before the present half-open period has none to give. */
  ended(entry: Entry): void {
    if (entry.allowed && entry.period === this.period && this.probes > 0) this.probes -= 1;
  }

  /** Closes it and forgets what it counted in a row. */
  reset(): void {
    this.failuresInRow = 0;
    if (this.current !== 'closed') this.become('closed');
  }

  /** It turns half open only when somebody asks (`tryEnter`, `isOpen`), so a breaker nobody asks stays `open`. */
  state(): BreakerState {
    return this.current;
  }

  /** Whether a call would be rejected for being too early; when it no longer would, the breaker is half open from here on. */
  isOpen(now: number): boolean {
    if (this.current !== 'open') return false;
    if (this.openFor(now) > 0) return true;
    this.become('half_open');
    this.period += 1;
    this.probes = 0;
    return false;
  }

  /** How long it stays open, in milliseconds; 0 when it is not, or when a call may try. */
  openFor(now: number): number {
    return this.current === 'open' ? Math.max(0, this.lastFailureAt + this.openMs - now) : 0;
  }

  private rejected(retryAfterMs: number): Entry {
    this.counted.rejected += 1;
    return { allowed: false, retryAfterMs };
  }

  private become(state: BreakerState): void {
    this.current = state;
    this.counted.stateChanges += 1;
    if (state === 'closed') this.failuresInRow = 0;
    this.successesInRow = 0;
  }
}
