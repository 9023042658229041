import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../operators/index.js';
import { callEach, inLanes } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

/** Letters of one name are of one key. */
const lanes = inLanes({ key: (value: string) => value.toLowerCase() });
const leavesAfter = (ms: number) => (delivery: Delivery<unknown>) => setTimeout(() => delivery.settle('delivered'), ms);

describe('inLanes', () => {
  it('holds an item back until the one before it with the same key has left', () =>
    marbles(
      lanes,
      `
      in   aAb-------|
      out  a-b-A-----|
      `,
      { sink: leavesAfter(4), ignore: ['delivered'] },
    ));

  it('L3: lets those that wait go on one at a time', () =>
    marbles(lanes, { in: '(aAa)---|', out: 'a---A---(a|)' }, { sink: leavesAfter(4), ignore: ['delivered'] }));
  it('does not hold back what leaves at once', () => marbles(lanes, { in: 'aAaA|', out: 'aAaA|' }));
  it('completes when nothing comes', () => marbles(lanes, { in: '-|', out: '-|' }));
  it('waits with a source that never ends', () => marbles(lanes, { in: 'aA-', out: 'aA-' }));
  it('lets those that wait go on, in turn, before it completes', () =>
    marbles(lanes, { in: '(aAb)|', out: '(ab)--(A|)' }, { sink: leavesAfter(6), ignore: ['delivered'] }));
  it('releases those that wait at an early unsubscribe', () =>
    marbles(lanes, { in: 'aA--|', sub: '^--!', out: 'a', released: '---A' }, { sink: () => undefined, inFlight: 'a' }));
  it('releases those that wait when the source fails, and hands the error on', () =>
    marbles(
      lanes,
      { in: 'aA-#', out: 'a--#', released: '---A' },
      { sink: () => undefined, inFlight: 'a', reasons: { A: 'the source failed' } },
    ));
  it('frees the lane of an item that failed behind it', () =>
    marbles(
      (source) =>
        source.pipe(
          lanes,
          callEach(
            (value: string) =>
              new Promise<void>((resolve, reject) => setTimeout(value === 'a' ? () => reject(new Error('no')) : resolve, 3)),
            { order: 'none' },
          ),
        ),
      { in: 'aA------|', out: '------A-|', failed: '---a' },
    ));
  it('A25: fails an item whose key cannot be told, and its neighbours go on', () =>
    marbles(
      inLanes({
        key: (value: string) => {
          if (value === 'b') throw new Error('no key');
          return value;
        },
      }),
      { in: 'abc|', out: 'a-c|', failed: '-b' },
    ));
  it('fails what comes when there is no more room to wait', () =>
    marbles(
      inLanes({ key: () => 'k', maxHeld: 1 }),
      { in: 'abc|', out: 'a--', failed: '--c' },
      { sink: () => undefined, inFlight: 'ab', reasons: { c: /holds 1 items/ } },
    ));

  it('L3: keeps the order of each key, whatever the calls behind it take', async () => {
    const done: string[] = [];
    const slow: Readonly<Record<string, number>> = { a: 5, A: 4, b: 3, B: 2 };
    await marbles(
      (source) =>
        source.pipe(
          lanes,
          callEach(
            (value: string) =>
              new Promise<void>((resolve) =>
                setTimeout(() => {
                  done.push(value);
                  resolve();
                }, slow[value]),
              ),
            { order: 'none' },
          ),
        ),
      { in: '(abAB)--|', out: '---b-(aB)(A|)' },
    );
    expect(done.indexOf('a')).toBeLessThan(done.indexOf('A'));
    expect(done.indexOf('b')).toBeLessThan(done.indexOf('B'));
  });
});
