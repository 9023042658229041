import { concatMap, delay, filter, from, map, mergeMap, of, throwError, timer } from 'rxjs';
import { describe, it } from 'vitest';
import { lift } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const withoutB = lift(
  filter((value: string) => value !== 'b'),
  'no b',
);

describe('lift', () => {
  it('runs a plain operator on each item and filters what it drops', () =>
    marbles(
      withoutB,
      `
      in        -a-b-c-|
      out       -a---c-|
      filtered  ---b----
      `,
      { reasons: { b: 'no b' } },
    ));

  it('maps', () =>
    marbles(
      lift(
        map((value: string) => value.toUpperCase()),
        'none',
      ),
      { in: 'ab|', out: 'AB|' },
    ));
  it('completes when nothing comes', () => marbles(withoutB, { in: '|', out: '|' }));
  it('waits with a source that never ends', () => marbles(withoutB, { in: 'a-', out: 'a-' }));
  it('lets an item take its time, and finishes it before it completes', () =>
    marbles(lift(delay<string>(3), 'none'), { in: 'a-|', out: '---(a|)' }));
  it('waits for a promise inside', () =>
    marbles(
      lift(
        concatMap((value: string) => from(Promise.resolve(value.toUpperCase()))),
        'none',
      ),
      { in: 'a-|', out: 'A-|' },
    ));
  it('makes parts of several results', () =>
    marbles(
      lift(
        mergeMap((value: string) => of(`${value}1`, `${value}2`)),
        'none',
      ),
      { in: 'a---|', out: '(xy)|', delivered: 'a' },
      { values: { x: 'a1', y: 'a2' } },
    ));
  it('releases what is inside at an early unsubscribe', () =>
    marbles(lift(delay<string>(9), 'none'), { in: 'a-|', sub: '^-!', out: '-', released: '--a' }));
  it('releases what is inside when the source fails, and hands the error on', () =>
    marbles(lift(delay<string>(9), 'none'), { in: 'a-#', out: '--#', released: '--a' }));
  it('A25: fails an item for which the operator errors, and its neighbours go on', () =>
    marbles(
      lift(
        mergeMap((value: string) => (value === 'b' ? throwError(() => new Error('b is bad')) : of(value))),
        'none',
      ),
      { in: 'abc|', out: 'a-c|', failed: '-b' },
      { reasons: { b: 'b is bad' } },
    ));
  it('fails an item for which the operator cannot even be made', () =>
    marbles(
      lift<string, string>(() => {
        throw new Error('not made');
      }, 'none'),
      { in: 'a|', out: '-|', failed: 'a' },
    ));
  it('an item that answers late does not hold up those behind it', () =>
    marbles(
      lift(
        mergeMap((value: string) => (value === 'a' ? timer(4).pipe(map(() => value)) : of(value))),
        'none',
      ),
      { in: 'ab---|', out: '-b--a|' },
    ));
});
