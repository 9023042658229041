import { describe, expect, it } from 'vitest';
import { tapEach } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

describe('tapEach', () => {
  it('shows each item to a function and passes it on', async () => {
    const seen: string[] = [];
    await marbles(
      tapEach((value: string) => {
        seen.push(value);
      }),
      `
      in   -a-b-c-|
      out  -a-b-c-|
      `,
    );
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('completes when nothing comes', () =>
    marbles(
      tapEach(() => undefined),
      { in: '-|', out: '-|' },
    ));
  it('waits with a source that never ends', () =>
    marbles(
      tapEach(() => undefined),
      { in: 'a--', out: 'a--' },
    ));
  it('hands an error of the source on', () =>
    marbles(
      tapEach(() => undefined),
      { in: 'a#', out: 'a#' },
    ));
  it('does nothing after an early unsubscribe', () =>
    marbles(
      tapEach(() => undefined),
      { in: 'a--b|', sub: '^-!', out: 'a' },
    ));
  it('A25: fails an item when the function throws, and its neighbours go on', () =>
    marbles(
      tapEach((value: string) => {
        if (value === 'b') throw new Error('ouch');
      }),
      { in: 'abc|', out: 'a-c|', failed: '-b' },
      { reasons: { b: 'ouch' } },
    ));
});
