import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DelayQueue } from '../../src/runtime/delay-queue.js';

describe('the delay queue', () => {
  it('C2: gives everything out, the earliest first, what is overdue at once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100)), fc.array(fc.nat(120)), (dues, times) => {
        const queue = new DelayQueue<{ readonly due: number; readonly turn: number }>();
        dues.forEach((due, turn) => queue.push({ due, turn }, due));
        const out = [];
        for (const now of times.toSorted((a, b) => a - b)) {
          const due = queue.popDue(now);
          expect(due.every((item) => item.due <= now)).toBe(true);
          expect(queue.nextDue ?? Number.POSITIVE_INFINITY).toBeGreaterThan(now);
          out.push(...due);
        }
        out.push(...queue.drain());
        expect(queue.size).toBe(0);
        const expected = dues.map((due, turn) => ({ due, turn })).toSorted((a, b) => a.due - b.due || a.turn - b.turn);
        expect(out).toEqual(expected);
      }),
    );
  });
});
