import { describe, it } from 'vitest';
import { dedupe, type Delivery, filterOut, inLanes } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const once = (withinMs: number, maxKeys?: number) =>
  dedupe<string>({ key: (value) => value, withinMs, ...(maxKeys === undefined ? {} : { maxKeys }) });

describe('dedupe', () => {
  it('filters an item whose key was delivered a short while ago', () =>
    marbles(
      once(8),
      `
      in        -a-b-a----a-|
      out       -a-b------a-|
      filtered  -----a-------
      `,
      { reasons: { a: 'duplicate' } },
    ));

  it('passes one item', () => marbles(once(8), { in: 'a|', out: 'a|' }));
  it('completes when nothing comes', () => marbles(once(8), { in: '|', out: '|' }));
  it('waits with a source that never ends', () => marbles(once(8), { in: 'aa-', out: 'a--', filtered: '-a' }));
  it('hands an error of the source on', () => marbles(once(8), { in: 'a#', out: 'a#' }));
  it('forgets a key at the end of its window, to the millisecond', () => marbles(once(3), { in: 'a--a|', out: 'a--a|' }));
  it('remembers it up to there', () => marbles(once(3), { in: 'a-a|', out: 'a--|', filtered: '--a' }));
  it('A25: what was released behind it is not taken for a duplicate when it comes again', () =>
    marbles(once(8), { in: 'a-a|', out: 'a-a|', released: 'a-a' }, { sink: (delivery) => delivery.settle('released') }));
  it('lets pass again what was filtered behind it', () =>
    marbles(
      (source) =>
        source.pipe(
          once(8),
          filterOut(() => true),
        ),
      { in: 'a-a|', out: '---|', filtered: 'a-a' },
    ));
  it('two of a key that are in flight at once both pass', () =>
    marbles(
      once(8),
      { in: 'aa--|', out: 'aa--|' },
      { sink: (delivery: Delivery<unknown>) => setTimeout(() => delivery.settle('delivered'), 2), ignore: ['delivered'] },
    ));
  it('behind lanes with the same key the second waits for the first and is filtered', () =>
    marbles(
      (source) => source.pipe(inLanes({ key: (value: string) => value }), once(8)),
      { in: 'aa--|', out: 'a---|', filtered: '--a' },
      { sink: (delivery: Delivery<unknown>) => setTimeout(() => delivery.settle('delivered'), 2), ignore: ['delivered'] },
    ));
  it('B12: keeps no more keys than it may; the oldest is forgotten', () =>
    marbles(once(99, 2), { in: 'abcbca|', out: 'abc--a|', filtered: '---bc' }));
  it('A25: fails an item whose key cannot be told, and its neighbours go on', () =>
    marbles(
      dedupe<string>({
        key: (value) => {
          if (value === 'b') throw new Error('no key');
          return value;
        },
        withinMs: 1,
      }),
      { in: 'abc|', out: 'a-c|', failed: '-b' },
    ));
});
