import { CircuitBreaker, type CircuitBreakerOptions } from '../../operators/index.js';
import { categoryOf, PenstockError } from '../diagnostics/index.js';
import { openedBreaker } from './failure-route.js';

export interface GuardOptions extends CircuitBreakerOptions {
  /** How many breakers are kept, one for each key; the one used longest ago leaves first. Defaults to 1 000. */
  readonly maxKeys?: number;
  readonly onState?: (key: string, state: ReturnType<CircuitBreaker['state']>) => void;
}

/** Guards calls to things that fail together, such as those of one host. */
export interface Guard {
  /**
   * Makes the call; while the breaker of its key is open it waits, so that whoever asks is held back and nothing counts as an attempt. Rejects when the
   * call does, or when a signal aborts while it waits (`circuit_open`). The failure that opens the breaker is marked as such.
   */
  run<T>(key: string, call: () => Promise<T>, ...signals: readonly AbortSignal[]): Promise<T>;
  open(): readonly string[];
}

/** A half-open breaker that is full says 0: its probes end at a time that nobody knows. */
export const SHORTEST_PAUSE_MS = 10;

export function guard({ maxKeys = 1000, onState, ...settings }: GuardOptions): Guard {
  const breakers = new Map<string, CircuitBreaker>();
  const breakerOf = (key: string): CircuitBreaker => {
    const breaker = breakers.get(key) ?? new CircuitBreaker(settings);
    breakers.delete(key);
    breakers.set(key, breaker);
    if (breakers.size > maxKeys) breakers.delete(breakers.keys().next().value!);
    return breaker;
  };
  return {
    async run(key, call, ...signals) {
      const breaker = breakerOf(key);
      let entry = breaker.tryEnter(Date.now());
      while (!entry.allowed) {
        await heldBack(Math.max(entry.retryAfterMs, SHORTEST_PAUSE_MS), signals);
        entry = breaker.tryEnter(Date.now());
      }
      const before = breaker.state();
      try {
        const result = await call();
        breaker.succeeded(Date.now());
        return result;
      } catch (error) {
        breaker.failed(Date.now(), categoryOf(error));
        if (before !== 'open' && breaker.state() === 'open' && typeof error === 'object' && error !== null) openedBreaker.add(error);
        throw error;
      } finally {
        breaker.ended(entry);
        const after = breaker.state();
        if (after !== before) onState?.(key, after);
      }
    },
    open: () => [...breakers].filter(([, breaker]) => breaker.state() === 'open').map(([key]) => key),
  };
}

/** Waits; rejects (`circuit_open`) when a signal aborts before. */
export function heldBack(ms: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', stop);
    };
    const stop = (): void => {
      end();
      reject(new PenstockError('PS4112', 'stopped while it waited for an open circuit breaker', { category: 'circuit_open' }));
    };
    const timer = setTimeout(() => {
      end();
      resolve();
    }, ms);
    for (const signal of signals) signal.addEventListener('abort', stop, { once: true });
    if (signals.some(({ aborted }) => aborted)) stop();
  });
}
