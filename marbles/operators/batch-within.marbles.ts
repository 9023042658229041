import { map } from 'rxjs';
import { describe, it } from 'vitest';
import { type Batch, batchWithin, type Delivery } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

/** Two at a time, within four milliseconds; drawn by what is in the batch. */
const values = map((delivery: Delivery<Batch<string>>) => delivery.with(delivery.value.values.join('')));
const twos = batchWithin<string>({ count: 2, withinMs: 4 });
const meaning = { values: { m: 'ab', n: 'c', o: 'a', p: 'b' } };

describe('batchWithin', () => {
  it('gathers items until there are enough or the time is over', () =>
    marbles(
      (source) => source.pipe(twos, values),
      `
      in   -a-b-c----|
      out  ---m-----n|
      `,
      { ...meaning, ignore: ['delivered'] },
    ));

  it('delivers each of its items when the batch is delivered', () =>
    marbles((source) => source.pipe(twos, values), { in: 'ab----|', out: '-m----|', delivered: '-(ab)' }, meaning));
  it('B8: passes a single item on when its time is over, although more are allowed', () =>
    marbles((source) => source.pipe(twos, values), { in: 'a-', out: '----o' }, meaning));
  it('completes when nothing comes', () => marbles(twos, { in: '--|', out: '--|' }));
  it('passes what it holds on as a last batch before it completes', () =>
    marbles((source) => source.pipe(twos, values), { in: 'c|', out: '-(n|)' }, meaning));
  it('releases what it holds at an early unsubscribe', () => marbles(twos, { in: 'a-|', sub: '^-!', out: '-', released: '--a' }));
  it('releases what it holds when the source fails, and hands the error on', () =>
    marbles(twos, { in: 'a-#', out: '--#', released: '--a' }));
  it('passes a batch on by weight', () =>
    marbles(
      (source) =>
        source.pipe(batchWithin<string>({ count: 9, withinMs: 9, weight: 3, weightOf: (value) => (value === 'c' ? 3 : 1) }), values),
      { in: 'c---|', out: 'n---|' },
      meaning,
    ));
  it('A25: fails an item that cannot be weighed, and its neighbours go on', () =>
    marbles(
      (source) =>
        source.pipe(
          batchWithin<string>({
            count: 1,
            withinMs: 9,
            weightOf: (value) => {
              if (value === 'b') throw new Error('how heavy');
              return 1;
            },
          }),
          values,
        ),
      { in: 'ab|', out: 'o-|', failed: '-b' },
      meaning,
    ));
  it('a batch that fails fails each of its items', () =>
    marbles(
      twos,
      { in: 'ab----|', failed: '-(ab)' },
      { sink: (batch) => batch.fail(new Error('no table')), ignore: ['out'], reasons: { a: 'no table' } },
    ));
  it('one of its items can fail alone, and the others are delivered', () =>
    marbles(
      twos,
      { in: 'ab---|', failed: '-a', delivered: '-b' },
      {
        ignore: ['out'],
        sink: (delivery) => {
          const batch = delivery as Delivery<Batch<string>>;
          batch.value.members[0]!.fail(new Error('a bad row'));
          batch.settle('delivered');
        },
      },
    ));
  it('starts counting anew for each batch', () =>
    marbles((source) => source.pipe(twos, values), { in: 'ab-a-b-|', out: '-m---m-|' }, meaning));
});
