import { describe, it } from 'vitest';
import { bounded, type Delivery } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const leavesAfter = (ms: number) => (delivery: Delivery<unknown>) => setTimeout(() => delivery.settle('delivered'), ms);
const one = bounded<string>({ inFlight: 1 });

describe('bounded', () => {
  it('lets only so many be in flight behind it', () =>
    marbles(
      one,
      `
      in   abc---------|
      out  a--b--c-----|
      `,
      { sink: leavesAfter(3), ignore: ['delivered'] },
    ));

  it('holds nothing back that leaves at once', () => marbles(one, { in: '(abc)|', out: '(abc)|' }));
  it('lets two be in flight', () =>
    marbles(bounded({ inFlight: 2 }), { in: 'abc---|', out: 'ab-c--|' }, { sink: leavesAfter(3), ignore: ['delivered'] }));
  it('completes when nothing comes', () => marbles(one, { in: '-|', out: '-|' }));
  it('waits with a source that never ends', () => marbles(one, { in: 'ab-', out: 'ab-' }));
  it('lets those that wait go on before it completes', () =>
    marbles(one, { in: 'ab|', out: 'a--(b|)' }, { sink: leavesAfter(3), ignore: ['delivered'] }));
  it('releases those that wait at an early unsubscribe', () =>
    marbles(one, { in: 'ab--|', sub: '^--!', out: 'a', released: '---b' }, { sink: () => undefined, inFlight: 'a' }));
  it('releases those that wait when the source fails, and hands the error on', () =>
    marbles(one, { in: 'ab-#', out: 'a--#', released: '---b' }, { sink: () => undefined, inFlight: 'a' }));
  it('L4: fails what comes when there is no more room to wait', () =>
    marbles(
      bounded({ inFlight: 1, maxHeld: 1 }),
      { in: 'abc|', out: 'a--', failed: '--c' },
      { sink: () => undefined, inFlight: 'ab', reasons: { c: /holds 1 items/ } },
    ));
});
