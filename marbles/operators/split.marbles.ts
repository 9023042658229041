import { take } from 'rxjs';
import { describe, it } from 'vitest';
import { filterOut, split } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const letters = split((value: string) => (value === 'm' ? ['a', 'b'] : value === 'n' ? [] : [value]));

describe('split', () => {
  it('makes several items of one', () =>
    marbles(
      letters,
      `
      in         -m-----n-|
      out        -(ab)----|
      delivered  -m-----n--
      `,
    ));

  it('passes one part for one', () => marbles(letters, { in: 'c|', out: 'c|' }));
  it('completes when nothing comes', () => marbles(letters, { in: '|', out: '|' }));
  it('waits with a source that never ends', () => marbles(letters, { in: 'c-', out: 'c-' }));
  it('hands an error of the source on', () => marbles(letters, { in: 'c#', out: 'c#' }));
  it('A25: fails an item that cannot be split, and its neighbours go on', () =>
    marbles(
      split((value: string): string[] => {
        if (value === 'b') throw new Error('in one piece');
        return [value];
      }),
      { in: 'abc|', out: 'a-c|', failed: '-b' },
    ));
  it('delivers the whole when one part was filtered and the other delivered', () =>
    marbles(
      (source) =>
        source.pipe(
          letters,
          filterOut((value) => value === 'b'),
        ),
      { in: 'm|', out: 'a|', delivered: 'm' },
    ));
  it('releases the whole when somebody leaves between two parts', () =>
    marbles((source) => source.pipe(letters, take(1)), { in: 'm|', out: '(a|)', released: 'm' }, { reasons: { m: 'unsubscribed' } }));
});
