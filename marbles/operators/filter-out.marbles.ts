import { describe, it } from 'vitest';
import { filterOut } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const isB = (value: string): boolean => value === 'b';

describe('filterOut', () => {
  it('filters the items for which the predicate holds', () =>
    marbles(
      filterOut(isB),
      `
      in        -a-b-c-|
      out       -a---c-|
      filtered  ---b----
      `,
      { reasons: { b: 'filtered out' } },
    ));

  it('says why, in words for all', () =>
    marbles(filterOut(isB, 'temporary file'), { in: 'b|', out: '-|', filtered: 'b' }, { reasons: { b: 'temporary file' } }));
  it('says why, in words for each', () =>
    marbles(
      filterOut(isB, (value) => `${value} again`),
      { in: 'b|', out: '-|', filtered: 'b' },
      { reasons: { b: 'b again' } },
    ));
  it('completes when nothing comes', () => marbles(filterOut(isB), { in: '|', out: '|' }));
  it('waits with a source that never ends', () => marbles(filterOut(isB), { in: 'ab-', out: 'a--', filtered: '-b' }));
  it('hands an error of the source on', () => marbles(filterOut(isB), { in: 'b#', out: '-#', filtered: 'b' }));
  it('does nothing after an early unsubscribe', () => marbles(filterOut(isB), { in: 'a-b|', sub: '^!', out: 'a' }));
  it('A25: fails an item when the predicate throws, and its neighbours go on', () =>
    marbles(
      filterOut((value: string) => {
        if (value === 'b') throw new Error('cannot say');
        return false;
      }),
      { in: 'abc|', out: 'a-c|', failed: '-b' },
      { reasons: { b: 'cannot say' } },
    ));
  it('fails an item when the words for it throw', () =>
    marbles(
      filterOut(isB, () => {
        throw new Error('no words');
      }),
      { in: 'b|', out: '-|', failed: 'b' },
    ));
});
