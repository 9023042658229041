import { describe, expect, it } from 'vitest';
import { concurrently, type ConcurrencyOptions, type Delivery, filtered } from '../../operators/index.js';
import { type LawItem, marbles, settlesEach } from '../../src/testing/index.js';

const later = <T>(ms: number, value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), ms));
const MS: Readonly<Record<string, number>> = { a: 5, b: 3 };

/** Letters become capitals: `a` in five milliseconds, `b` in three, the others at once; `x` is filtered, `y` later, `t` throws, `r` rejects. */
const step = (value: string, delivery: Delivery<string>) => {
  if (value === 'x') return filtered('unwanted');
  if (value === 'y') return later(1, filtered('unwanted, later'));
  if (value === 't') throw new Error('thrown');
  if (value === 'r') return later(1, undefined).then(() => Promise.reject(new Error('rejected')));
  const capital = delivery.with(value.toUpperCase());
  const ms = MS[value];
  return ms === undefined ? capital : later(ms, capital);
};
const capitals = (options?: ConcurrencyOptions) => concurrently<string, string>(() => step, options);

describe('concurrently', () => {
  it('runs a step on each item, several at a time, and passes on what it answers in the order of the source', () =>
    marbles(
      capitals(),
      `
      in   abc-------b---|
      out  -----(ABC)---B|
      `,
    ));

  it('passes on what is ready, when order does not matter', () => marbles(capitals({ order: 'none' }), { in: 'abc---|', out: '--C-BA|' }));
  it('begins no more than allowed', () => marbles(capitals({ concurrency: 1 }), { in: 'ab------|', out: '-----A--(B|)' }));
  it('passes one item', () => marbles(capitals(), { in: 'c|', out: 'C|' }));
  it('completes when nothing comes', () => marbles(capitals(), { in: '-|', out: '-|' }));
  it('waits with a source that never ends', () => marbles(capitals(), { in: 'c-', out: 'C-' }));
  it('finishes what is out before it completes', () => marbles(capitals(), { in: 'b|', out: '---(B|)' }));
  it('hands an error of the source on, and releases what is out and what waits', () =>
    marbles(capitals({ concurrency: 1 }), { in: 'ab#', out: '--#', released: '--(ab)' }));
  it('releases what is out and what waits at an early unsubscribe', () =>
    marbles(capitals({ concurrency: 1 }), { in: 'ab--|', sub: '^-!', released: '--(ab)' }));
  it('A25: a step that throws or rejects fails its item, one that filters filters it, and the others go on', () =>
    marbles(
      capitals({ order: 'none' }),
      { in: 'txryc|', out: '----C|', failed: 't--r', filtered: '-x--y' },
      { reasons: { t: 'thrown', r: 'rejected', x: 'unwanted', y: 'unwanted, later' } },
    ));
  it('L4: fails what comes when there is no more room to wait', () =>
    marbles(
      capitals({ concurrency: 1, maxHeld: 1 }),
      { in: 'abc-----|', out: '-----A--(B|)', failed: '--c' },
      { reasons: { c: /holds 1 items/ } },
    ));

  it('makes its step anew for each subscription', async () => {
    let made = 0;
    const counting = concurrently<string>(() => {
      made += 1;
      return (_, delivery) => delivery;
    });
    await marbles(counting, { in: 'ab|', out: 'ab|' });
    await marbles(counting, { in: 'a|', out: 'a|' });
    expect(made).toBe(2);
  });

  it('keeps the law', () =>
    settlesEach<number>(({ call }) =>
      concurrently<LawItem<number>>(() => (item, delivery) => {
        const answer = call(item);
        return answer === undefined ? delivery : answer.then(() => delivery);
      }),
    ));
});
