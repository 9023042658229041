import { expect } from 'vitest';
import { CircuitBreaker } from '../../../operators/circuit-breaker.js';
import { same } from '../compare.js';
import { fields, list, wanted, type Family } from '../family.js';

type Fields = Readonly<Record<string, unknown>>;

function breakerFor(config: Fields): CircuitBreaker {
  return new CircuitBreaker({
    failureThreshold: config['failure_threshold'] as number,
    successThreshold: config['success_threshold'] as number,
    openMs: (config['open_seconds'] as number) * 1000,
    halfOpenMax: config['half_open_max_calls'] as number,
    ignoreAuth: config['ignore_auth_errors'] as boolean,
  });
}

/** A guarded call that ends at once, as `fails` says: the category of its failure, `untyped` for one that has none. */
function call(breaker: CircuitBreaker, now: number, fails: unknown): Fields {
  const entry = breaker.tryEnter(now);
  if (!entry.allowed) return { result: 'rejected', retry_after: entry.retryAfterMs / 1000 };
  if (fails === undefined) breaker.succeeded(now);
  else breaker.failed(now, fails as string);
  breaker.ended(entry);
  return { result: fails === undefined ? 'ok' : 'failed' };
}

function step(breaker: CircuitBreaker, op: Fields): Fields {
  const now = (op['at'] as number) * 1000;
  switch (op['op']) {
    case 'call':
      return call(breaker, now, op['fails']);
    case 'is_open':
      return { is_open: breaker.isOpen(now) };
    case 'record_success':
      breaker.succeeded(now);
      return {};
    case 'record_failure':
      breaker.failed(now, String(op['fails'] ?? op['category'] ?? 'unknown'));
      return {};
    case 'reset':
      breaker.reset();
      return {};
    default:
      throw new Error(`a breaker has no ${String(op['op'])}`);
  }
}

export const family: Family = {
  name: 'circuit-breaker',
  check(vector) {
    const input = fields(vector.in);
    const breaker = breakerFor(fields(input['config']));
    const steps = list(input['ops']).map(fields).map((op) => ({ ...step(breaker, op), state: breaker.state() }));
    const goal = fields(wanted(vector));
    if (goal['never_rejects_forever_in_half_open'] === true) {
      // Each call ended before the next began, so none of them may find every place taken.
      const halfOpen = steps.filter((found) => found.state === 'half_open');
      expect(halfOpen.length).toBeGreaterThan(0);
      for (const found of halfOpen) expect(found).not.toMatchObject({ result: 'rejected' });
      return;
    }
    const { calls, successes, failures, rejected, stateChanges } = breaker.totals;
    same({ steps: steps.map(rounded), totals: { calls, successes, failures, rejected, state_changes: stateChanges } }, goal);
  },
};

/** Seconds to the millisecond: they were reckoned from milliseconds. */
function rounded(found: Fields): Fields {
  return 'retry_after' in found ? { ...found, retry_after: Math.round((found['retry_after'] as number) * 1000) / 1000 } : found;
}
