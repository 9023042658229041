import { describe, it } from 'vitest';
import { callEach, type Delivery, retryEach } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const failing = (delivery: Delivery<unknown>): void => delivery.fail(new Error('no luck'));
const thrice = retryEach<string>({ maxAttempts: 3, baseMs: 2, random: () => 1 });

/** Fails so many times, then goes well. */
const failsTimes = (times: number, error: unknown = new Error('not yet')) => {
  let left = times;
  return (delivery: Delivery<unknown>): void => {
    if (left === 0) return delivery.settle('delivered');
    left -= 1;
    return delivery.fail(error);
  };
};

describe('retryEach', () => {
  it('sends an item that failed behind it once more, after a pause that grows', () =>
    marbles(
      thrice,
      `
      in      -a--------------|
      out     -a-a---a--------|
      failed  -------a---------
      `,
      { sink: failing, reasons: { a: 'no luck' } },
    ));

  it('passes on once what goes well', () => marbles(thrice, { in: 'a|', out: 'a|' }));
  it('stops when it goes well', () => marbles(thrice, { in: 'a-----|', out: 'a-a---|', delivered: '--a' }, { sink: failsTimes(1) }));
  it('completes when nothing comes', () => marbles(thrice, { in: '|', out: '|' }));
  it('waits with a source that never ends', () => marbles(thrice, { in: 'a-', out: 'a-' }));
  it('finishes those that pause before it completes', () =>
    marbles(thrice, { in: 'a|', out: 'a-(a|)', delivered: '--a' }, { sink: failsTimes(1) }));
  it('releases those that pause at an early unsubscribe', () =>
    marbles(thrice, { in: 'a-|', sub: '^!', out: 'a', released: '-a' }, { sink: failing }));
  it('releases those that pause when the source fails, and hands the error on', () =>
    marbles(thrice, { in: 'a#', out: 'a#', released: '-a' }, { sink: failing }));
  it('does not try a permanent failure again', () =>
    marbles(thrice, { in: 'a--|', out: 'a--|', failed: 'a' }, { sink: (delivery) => delivery.fail({ category: 'permanent' }) }));
  it('does not try again what it is told not to', () =>
    marbles(retryEach<string>({ when: () => false }), { in: 'a--|', out: 'a--|', failed: 'a' }, { sink: failing }));
  it('waits as long as the other side asked for, up to the cap', () =>
    marbles(
      retryEach<string>({ maxAttempts: 2, baseMs: 2, capMs: 5 }),
      { in: 'a---------|', out: 'a----a----|', failed: '-----a' },
      { sink: (delivery) => delivery.fail(Object.assign(new Error('later'), { retryAfterMs: 60_000 })) },
    ));
  it('retries calls behind it, and lets the others go on meanwhile', () =>
    marbles(
      (source) => {
        let tries = 0;
        return source.pipe(
          thrice,
          callEach((value: string) => {
            if (value !== 'a') return;
            tries += 1;
            if (tries < 3) throw new Error('not yet');
          }),
        );
      },
      { in: 'ab------|', out: '-b----a-|' },
    ));
});
