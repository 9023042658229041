import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Credits } from '../../src/transport/credits.js';
import { murmur2, partitionOf } from '../../src/transport/partitioner.js';

describe('credits', () => {
  it('are never exceeded by count or bytes, but for one large delivery by itself', () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 0, max: 150 }), fc.constant(-1)), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (list) => {
        const credits = new Credits({ count: 5, bytes: 100 });
        const taken: number[] = [];
        for (const step of list) {
          if (step >= 0) {
            if (credits.take(step)) taken.push(step);
          } else if (taken.length > 0) credits.give(taken.shift()!);
          const bytes = taken.reduce((sum, each) => sum + each, 0);
          expect([credits.inFlight, credits.inFlightBytes]).toEqual([taken.length, bytes]);
          expect(taken.length).toBeLessThanOrEqual(5);
          if (taken.length > 1) expect(bytes).toBeLessThanOrEqual(100);
        }
      }),
    );
  });

  it('open again when a quarter is free, or when they are reopened', () => {
    const credits = new Credits({ count: 8, bytes: 1000 });
    for (let index = 0; index < 8; index += 1) expect(credits.take(1)).toBe(true);
    expect(credits.take(1)).toBe(false);
    credits.give(1);
    expect(credits.take(1)).toBe(false);
    credits.give(1);
    expect(credits.take(1)).toBe(true);
    expect([credits.take(1), credits.take(1)]).toEqual([true, false]);
    credits.give(1);
    credits.reopen();
    expect(credits.take(1)).toBe(true);
  });

  it('never refuse for good: when nothing is in flight, anything goes', () => {
    const credits = new Credits({ count: 1, bytes: 1 });
    expect(credits.take(500)).toBe(true);
    expect(credits.take(0)).toBe(false);
    credits.give(500);
    expect(credits.take(500)).toBe(true);
  });
});

describe('the partition of a key', () => {
  it("is the one of Kafka's own clients", () => {
    const known = {
      '21': -973932308,
      foobar: -790332482,
      'a-little-bit-long-string': -985981536,
      'a-little-bit-longer-string': -1486304829,
      lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
      abc: 479470107,
    };
    for (const [key, hash] of Object.entries(known)) expect(murmur2(Buffer.from(key))).toBe(hash);
    expect(partitionOf(Buffer.from('21'), 10)).toBe((-973932308 & 0x7fffffff) % 10);
  });
});
