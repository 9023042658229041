import { describe, it } from 'vitest';
import { type Filtered, filtered, mapEach } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const great = (value: string): string | Filtered => (value === 'b' ? filtered('b is not mapped') : value.toUpperCase());
const greatAfter = (ms: number) => (value: string) =>
  new Promise<string | Filtered>((resolve) => setTimeout(() => resolve(great(value)), ms));

describe('mapEach', () => {
  it('passes each item on with another value', () =>
    marbles(
      mapEach(great),
      `
      in        -a-b-c-|
      out       -A---C-|
      filtered  ---b----
      `,
      { reasons: { b: 'b is not mapped' } },
    ));

  it('waits for a promise', () => marbles(mapEach(greatAfter(2)), { in: 'a-b---|', out: '--A---|', filtered: '----b' }));
  it('finishes what is out before it completes', () => marbles(mapEach(greatAfter(4)), { in: 'a|', out: '----(A|)' }));
  it('completes when nothing comes', () => marbles(mapEach(great), { in: '-|', out: '-|' }));
  it('waits with a source that never ends', () => marbles(mapEach(great), { in: 'a-', out: 'A-' }));
  it('releases what is out when the source fails, and hands the error on', () =>
    marbles(mapEach(greatAfter(4)), { in: 'a-#', out: '--#', released: '--a' }, { reasons: { a: 'the source failed' } }));
  it('releases what is out at an early unsubscribe', () =>
    marbles(mapEach(greatAfter(4)), { in: 'ac---|', sub: '^--!', out: '-', released: '---(ac)' }, { reasons: { a: 'unsubscribed' } }));
  it('A25: fails an item when the function throws or rejects, and its neighbours go on', () =>
    marbles(
      mapEach((value: string) => {
        if (value === 'b') throw new Error('thrown');
        return value === 'c' ? Promise.reject(new Error('rejected')) : value;
      }),
      { in: 'abcd|', out: 'a--d|', failed: '-bc' },
      { reasons: { b: 'thrown', c: 'rejected' } },
    ));
  it('keeps what is no promise on the synchronous path, also in a burst', () => marbles(mapEach(great), { in: '(acd)|', out: '(ACD)|' }));
});
