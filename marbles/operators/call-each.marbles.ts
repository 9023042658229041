import { describe, expect, it } from 'vitest';
import { callEach } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
/** a takes five milliseconds, b three, the others one. */
const uneven = (value: string) => sleep(value === 'a' ? 5 : value === 'b' ? 3 : 1);

describe('callEach', () => {
  it('does something with each item and passes it on when that is done, one at a time here', () =>
    marbles(
      callEach(() => sleep(3), { concurrency: 1 }),
      `
      in      -a-b-c-------|
      out     ----a--b--c--|
      `,
    ));

  it('passes one item', () => marbles(callEach(uneven), { in: 'c-|', out: '-c|' }));
  it('completes when nothing comes', () => marbles(callEach(uneven), { in: '-|', out: '-|' }));
  it('waits with a source that never ends', () => marbles(callEach(uneven), { in: 'c--', out: '-c-' }));
  it('finishes what is out and what waits before it completes', () =>
    marbles(
      callEach(() => sleep(3), { concurrency: 1 }),
      { in: 'ab|', out: '---a--(b|)' },
    ));
  it('keeps the order of the source', () => marbles(callEach(uneven), { in: 'abc-------|', out: '-----(abc)|' }));
  it('passes items on as they are ready, when order does not matter', () =>
    marbles(callEach(uneven, { order: 'none' }), { in: 'abc-----|', out: '---cba--|' }));

  it('lets a call that returns no promise go on at once, but not past those before it', () =>
    marbles(
      callEach((value: string) => (value === 'a' ? sleep(3) : undefined)),
      { in: 'abc-----d|', out: '---(abc)d|' },
    ));

  it('starts no more calls than allowed, and the waiting ones in order', async () => {
    const started: string[] = [];
    let running = 0;
    let most = 0;
    await marbles(
      callEach(
        async (value: string) => {
          started.push(value);
          running += 1;
          most = Math.max(most, running);
          await sleep(5);
          running -= 1;
        },
        { concurrency: 2 },
      ),
      { in: '(abcde)|', out: '-----(ab)-(cd)-(e|)' },
    );
    expect(started).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(most).toBe(2);
  });

  it('A25: a call that throws or rejects fails its item, and its neighbours go on', () =>
    marbles(
      callEach((value: string) => {
        if (value === 'b') throw new Error('thrown');
        return value === 'c' ? Promise.reject(new Error('rejected')) : undefined;
      }),
      { in: 'abcd|', out: 'a--d|', failed: '-bc' },
      { reasons: { b: 'thrown', c: 'rejected' } },
    ));

  it('a failure frees its place', () =>
    marbles(
      callEach((value: string) => (value === 'a' ? sleep(2).then(() => Promise.reject(new Error('no'))) : sleep(2)), { concurrency: 1 }),
      {
        in: 'ab---|',
        failed: '--a',
        out: '----b|',
      },
    ));

  it('releases what is out and what waits at an early unsubscribe', () =>
    marbles(
      callEach(() => sleep(9), { concurrency: 1 }),
      { in: 'abc-|', sub: '^---!', out: '-', released: '----(abc)' },
      { reasons: { c: 'unsubscribed' } },
    ));

  it('releases what is held when the source fails, and hands the error on', () =>
    marbles(
      callEach(() => sleep(9), { concurrency: 1 }),
      { in: 'ab-#', out: '---#', released: '---(ab)' },
      { reasons: { a: 'the source failed' } },
    ));

  it('fails what comes when there is no more room to wait', () =>
    marbles(
      callEach(() => sleep(3), { concurrency: 1, maxHeld: 1 }),
      { in: 'abc---|', out: '---a--(b|)', failed: '--c' },
      { reasons: { c: /holds 1 items/ } },
    ));

  it('a late answer after an early unsubscribe means nothing', () =>
    marbles(
      callEach(() => sleep(5)),
      { in: 'a-|', sub: '^-!', out: '-', released: '--a' },
    ));
});
