import { describe, it } from 'vitest';
import { rateLimit } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const slow = rateLimit<string>({ ratePerSecond: 100, burst: 1 });

describe('rateLimit', () => {
  it('lets items go on at a rate', () =>
    marbles(
      slow,
      `
      in   abc--------------------|
      out  a---------b---------c--|
      `,
    ));

  it('passes one item at once', () => marbles(slow, { in: 'a|', out: 'a|' }));
  it('completes when nothing comes', () => marbles(slow, { in: '|', out: '|' }));
  it('waits with a source that never ends', () => marbles(slow, { in: 'a-', out: 'a-' }));
  it('lets a burst go at once after a pause', () =>
    marbles(rateLimit({ ratePerSecond: 100, burst: 3 }), { in: '(abcd)----|', out: '(abc)-----(d|)' }));
  it('lets an item that costs more wait longer', () =>
    marbles(rateLimit<string>({ ratePerSecond: 1000, burst: 5, cost: (value) => (value === 'b' ? 5 : 3) }), {
      in: 'ab----|',
      out: 'a--b--|',
    }));
  it('fails an item that costs more than the bucket holds, or whose cost cannot be told', () =>
    marbles(
      rateLimit<string>({
        ratePerSecond: 1000,
        burst: 2,
        cost: (value) => {
          if (value === 'c') throw new Error('how much');
          return value === 'b' ? 3 : 1;
        },
      }),
      { in: 'abcd|', out: 'a--d|', failed: '-bc' },
      { reasons: { b: /never holds 3/, c: 'how much' } },
    ));
  it('finishes those that wait before it completes', () => marbles(slow, { in: 'ab|', out: 'a---------(b|)' }));
  it('releases those that wait at an early unsubscribe', () => marbles(slow, { in: 'ab-|', sub: '^--!', out: 'a', released: '---b' }));
  it('releases those that wait when the source fails, and hands the error on', () =>
    marbles(slow, { in: 'ab#', out: 'a-#', released: '--b' }));
  it('fails what comes when there is no more room to wait', () =>
    marbles(rateLimit<string>({ ratePerSecond: 100, burst: 1, maxHeld: 1 }), { in: 'abc-|', out: 'a---------(b|)', failed: '--c' }));
  it('less than one a second still lets one go', () =>
    marbles(rateLimit<string>({ ratePerSecond: 0.5 }), { in: 'ab|', out: 'a 1999ms (b|)' }));
});
