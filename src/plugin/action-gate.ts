import { CircuitBreaker, type Entry } from '../../operators/circuit-breaker.js';
import { Ring } from '../../operators/ring.js';
import { TokenBucket } from '../../operators/token-bucket.js';
import { PenstockError } from '../diagnostics/index.js';
import type { ActionPolicy } from './runtime.js';

/** The gate is closed while its breaker is open; `retryAfterMs` says for how long. */
export class ClosedGate extends PenstockError {}

/** Lets the actions of one plugin through as its entry says: so many at once, so many a second, none while too many fail. */
export class ActionGate {
  private readonly breaker: CircuitBreaker | undefined;
  private readonly bucket: TokenBucket | undefined;
  private readonly inside: Entry[] = [];
  private readonly waiting = new Ring<() => void>(2);
  private free: number;

  private constructor(
    private readonly plugin: string,
    { breaker, rate, concurrency }: ActionPolicy,
  ) {
    this.free = concurrency ?? Number.POSITIVE_INFINITY;
    this.bucket = rate === undefined ? undefined : new TokenBucket({ ratePerSecond: rate.per_second, burst: rate.burst });
    this.breaker =
      breaker === undefined
        ? undefined
        : new CircuitBreaker({
            failureThreshold: breaker.failures,
            successThreshold: 1,
            openMs: breaker.open,
            halfOpenMax: breaker.probes,
          });
  }

  /** None where nothing is asked for. */
  static of(plugin: string, policy: ActionPolicy | undefined): ActionGate | undefined {
    if (policy === undefined || (policy.breaker ?? policy.rate ?? policy.concurrency) === undefined) return undefined;
    return new ActionGate(plugin, policy);
  }

  /** Takes a place: at once, after a pause in milliseconds, or when somebody leaves. Throws a `ClosedGate` while the breaker is open. */
  enter(now: number): undefined | number | PromiseLike<void> {
    if (this.breaker !== undefined) {
      const entry = this.breaker.tryEnter(now);
      if (!entry.allowed) {
        throw new ClosedGate('PS4112', `the circuit breaker of ${this.plugin} is open`, {
          category: 'circuit_open',
          retryAfterMs: entry.retryAfterMs,
        });
      }
      this.inside.push(entry);
    }
    if (this.free <= 0) return new Promise((resolve) => this.waiting.push(resolve));
    this.free -= 1;
    const turn = this.bucket?.reserve(now) ?? now;
    return turn > now ? turn - now : undefined;
  }

  /** An action has ended; `category` is that of its failure. */
  left(now: number, category: string | undefined): void {
    if (this.breaker !== undefined) {
      if (category === undefined) this.breaker.succeeded(now);
      else this.breaker.failed(now, category);
      const entry = this.inside.pop();
      if (entry !== undefined) this.breaker.ended(entry);
    }
    const next = this.waiting.shift();
    if (next === undefined) this.free += 1;
    else next();
  }
}
