import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, CircuitBreaker, mayRetry, serverRetryAfterMs, TokenBucket } from '../../operators/index.js';

const broken = (): CircuitBreaker => {
  const breaker = new CircuitBreaker({ failureThreshold: 1, successThreshold: 2, openMs: 10, halfOpenMax: 2 });
  breaker.failed(0, 'transient');
  return breaker;
};

describe('CircuitBreaker', () => {
  it('rejects until it has been open long enough, and says how long that is', () => {
    const breaker = broken();
    expect(breaker.tryEnter(4)).toEqual({ allowed: false, retryAfterMs: 6 });
    expect(breaker.isOpen(9)).toBe(true);
    expect(breaker.tryEnter(10).allowed).toBe(true);
    expect(breaker.state()).toBe('half_open');
  });

  it('lets no more in at once than allowed while half open', () => {
    const breaker = broken();
    const one = breaker.tryEnter(10);
    breaker.tryEnter(10);
    expect(breaker.tryEnter(10)).toEqual({ allowed: false, retryAfterMs: 0 });
    breaker.ended(one);
    expect(breaker.tryEnter(10).allowed).toBe(true);
  });

  it('B14: frees the place of a call that counts neither way', () => {
    const breaker = broken();
    for (let call = 0; call < 20; call += 1) {
      const entry = breaker.tryEnter(10);
      expect(entry.allowed).toBe(true);
      breaker.failed(10, 'permanent');
      breaker.ended(entry);
    }
  });

  it('gives no place back twice over: a call from before the present period has none', () => {
    const breaker = broken();
    const early = breaker.tryEnter(10);
    breaker.failed(10, 'transient');
    breaker.tryEnter(20);
    breaker.tryEnter(20);
    breaker.ended(early);
    expect(breaker.tryEnter(20).allowed).toBe(false);
  });

  it('B4: never asks for the time or waits', () => {
    expect(CircuitBreaker.prototype.tryEnter).toHaveLength(1);
    expect(new CircuitBreaker().tryEnter(0)).toEqual({ allowed: true, period: 0 });
  });
});

describe('TokenBucket', () => {
  it('B13: promises places in order, never more than burst + rate · time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.record({ gap: fc.nat({ max: 400 }), tokens: fc.integer({ min: 1, max: 3 }) }), { maxLength: 40 }),
        (ratePerSecond, burst, asks) => {
          const bucket = new TokenBucket({ ratePerSecond, burst: burst + 3 });
          const grants: (readonly [at: number, tokens: number])[] = [];
          let now = 0;
          for (const { gap, tokens } of asks) {
            now += gap;
            grants.push([bucket.reserve(now, tokens), tokens]);
            expect(grants.at(-1)![0]).toBeGreaterThanOrEqual(now);
          }
          for (let from = 0; from < grants.length; from += 1) {
            let sum = 0;
            for (let to = from; to < grants.length; to += 1) {
              sum += grants[to]![1];
              expect(grants[to]![0]).toBeGreaterThanOrEqual(grants[from]![0]);
              expect(sum).toBeLessThanOrEqual(burst + 3 + ((grants[to]![0] - grants[from]![0]) * ratePerSecond) / 1000 + 1e-6);
            }
          }
        },
      ),
    );
  });

  it('says so when it can never hold so many', () =>
    expect(() => new TokenBucket({ ratePerSecond: 2 }).reserve(0, 3)).toThrow(/never holds 3/));
  it('says so when its rate is none', () => expect(() => new TokenBucket({ ratePerSecond: 0 })).toThrow(/more than 0/));
});

describe('backoff', () => {
  it('C19: draws half of each pause, and the cap comes last', () => {
    const at = (attempt: number, random: number) => backoffMs({ attempt, baseMs: 1000, capMs: 10_000, random: () => random });
    expect([at(0, 0), at(0, 1), at(2, 0), at(2, 1), at(4, 0), at(4, 1)]).toEqual([500, 1000, 2000, 4000, 8000, 10_000]);
  });

  it('gives in to the server, up to the cap', () =>
    expect([5, 50].map((retryAfterMs) => serverRetryAfterMs({ retryAfterMs, capMs: 10 }))).toEqual([5, 10]));

  it('never retries what is permanent, nor more often than allowed', () => {
    expect(mayRetry({ attempt: 0, maxAttempts: 2, category: 'transient' })).toBe(true);
    expect(mayRetry({ attempt: 1, maxAttempts: 2, category: 'transient' })).toBe(false);
    expect(mayRetry({ attempt: 0, maxAttempts: 2, category: 'permanent' })).toBe(false);
  });
});
