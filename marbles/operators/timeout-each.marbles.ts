import { describe, it } from 'vitest';
import { callEach, inLanes, timeoutEach } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

/** b never comes to an end. */
const hang = callEach((value: string) => (value === 'b' ? new Promise<void>(() => undefined) : undefined), { order: 'none' });
const eight = timeoutEach<string>({ withinMs: 8, sweepMs: 1 });

describe('timeoutEach', () => {
  it('fails an item that has not left within a time', () =>
    marbles(
      (source) => source.pipe(eight, hang),
      `
      in      -a-b-----------|
      out     -a-------------|
      failed  -----------b----
      `,
      { reasons: { b: 'did not leave within 8 ms' } },
    ));

  it('completes when nothing comes', () => marbles(eight, { in: '-|', out: '-|' }));
  it('waits with a source that never ends', () => marbles(eight, { in: 'a-', out: 'a-' }));
  it('hands an error of the source on', () => marbles(eight, { in: 'a#', out: 'a#' }));
  it('completes when what hangs was taken back', () =>
    marbles((source) => source.pipe(eight, hang), { in: 'b|', out: '--------|', failed: '--------b' }));
  it('releases what is out at an early unsubscribe', () =>
    marbles((source) => source.pipe(eight, hang), { in: 'b-|', sub: '^-!', out: '-', released: '--b' }));
  it('frees the lane of the item and the place of the call', () =>
    marbles(
      (source) =>
        source.pipe(
          inLanes({ key: () => 'one lane' }),
          eight,
          callEach((value: string) => (value === 'b' ? new Promise<void>(() => undefined) : undefined), { concurrency: 1 }),
        ),
      { in: 'ba--------|', out: '--------a-|', failed: '--------b' },
    ));
  it('drops the late answer', () =>
    marbles(
      (source) =>
        source.pipe(
          eight,
          callEach<string>(() => new Promise((resolve) => setTimeout(resolve, 12))),
        ),
      { in: 'a--------------|', out: '---------------|', failed: '--------a' },
    ));
  it('L10: a late answer is nobody else’s', () =>
    marbles(
      (source) =>
        source.pipe(
          eight,
          callEach((value: string) => new Promise((resolve) => setTimeout(resolve, value === 'a' ? 12 : 6)), { concurrency: 1 }),
        ),
      { in: 'a--------b--------|', out: '---------------b--|', failed: '--------a' },
    ));
  it('never takes an item back early, whenever the sweep looks', () =>
    marbles(
      (source) =>
        source.pipe(
          timeoutEach<string>({ withinMs: 6, sweepMs: 3 }),
          callEach<string>(() => new Promise(() => undefined)),
        ),
      {
        in: 'a-b-------|',
        out: '----------|',
        failed: '------a--b',
      },
    ));
  it('passes a failure on', () =>
    marbles(
      (source) =>
        source.pipe(
          eight,
          callEach<string>(() => Promise.reject(new Error('no'))),
        ),
      { in: 'a|', out: '-|', failed: 'a' },
      { reasons: { a: 'no' } },
    ));
});
