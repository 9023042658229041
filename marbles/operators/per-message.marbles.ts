import { describe, it } from 'vitest';
import { filtered, perMessage } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const withoutB = perMessage<string>(() => (value, delivery) => (value === 'b' ? filtered('b is not wanted') : delivery));
const counting = perMessage<string, number>(() => {
  let count = 0;
  return (_value, delivery) => {
    count += 1;
    return delivery.with(count);
  };
});

describe('perMessage', () => {
  it('runs a step on each item', () =>
    marbles(
      withoutB,
      `
      in        -a-b-c-|
      out       -a---c-|
      filtered  ---b----
      `,
      { reasons: { b: 'b is not wanted' } },
    ));

  it('passes one item', () => marbles(withoutB, { in: 'a|', out: 'a|' }));
  it('completes when nothing comes', () => marbles(withoutB, { in: '--|', out: '--|' }));
  it('waits with a source that never ends', () => marbles(withoutB, { in: '-a-', out: '-a-' }));
  it('hands an error of the source on', () => marbles(withoutB, { in: '-a-#', out: '-a-#' }));
  it('passes nothing on after an early unsubscribe', () => marbles(withoutB, { in: '-a-c-|', sub: '^-!', out: '-a-' }));
  it('passes the items of one burst in order', () => marbles(withoutB, { in: '-(abc)-|', out: '-(ac)--|', filtered: '-b' }));

  it('A25: a step that throws fails its item and its neighbours go on', () =>
    marbles(
      perMessage<string>(() => (value, delivery) => {
        if (value === 'b') throw new Error('b is bad');
        return delivery;
      }),
      { in: '-a-b-c-|', out: '-a---c-|', failed: '---b' },
      { reasons: { b: 'b is bad' } },
    ));

  it('keeps its state for one subscription', async () => {
    await marbles(counting, { in: 'ab|', out: '12|' }, { values: { 1: 1, 2: 2 } });
    await marbles(counting, { in: 'ab|', out: '12|' }, { values: { 1: 1, 2: 2 } });
  });
});
