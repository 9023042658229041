import { describe, expect, it } from 'vitest';
import { type Delivery, pull } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const leavesAfter = (ms: number) => (delivery: Delivery<unknown>) => setTimeout(() => delivery.settle('delivered'), ms);
const letters = (text: string): Iterable<string> => Array.from(text);

async function* slowly(text: string, ms: number): AsyncGenerator<string> {
  for (const letter of letters(text)) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    yield letter;
  }
}

describe('pull', () => {
  it('takes no more items than there are credits', () =>
    marbles(
      pull(letters('abc'), { credits: 1 }),
      `
      out  a--b--c--|
      `,
      { sink: leavesAfter(3) },
    ));

  it('hands all out at once where each leaves at once', () => marbles(pull(letters('abc'), { credits: 1 }), { out: '(abc|)' }));
  it('completes when there is nothing', () => marbles(pull([], { credits: 1 }), { out: '|' }));
  it('has two in flight with two credits', () =>
    marbles(pull(letters('abcd'), { credits: 2 }), { out: '(ab)-(cd)-|' }, { sink: leavesAfter(5) }));
  it('waits for an iterable that takes its time', () => marbles(pull(slowly('ab', 2), { credits: 4 }), { out: '--a-(b|)' }));

  it('L4: asks for no more than its credits while nothing leaves', async () => {
    let asked = 0;
    function* endless(): Generator<number> {
      for (;;) {
        asked += 1;
        yield asked;
      }
    }
    await marbles(
      pull(endless(), { credits: 3 }),
      { sub: '^-----!', out: '(abc)' },
      { values: { a: 1, b: 2, c: 3 }, sink: () => undefined },
    );
    expect(asked).toBe(3);
  });

  it('releases what is in flight and closes the iterator at an early unsubscribe', async () => {
    const left: string[] = [];
    let closed = false;
    function* source(): Generator<string> {
      try {
        yield* letters('abc');
      } finally {
        closed = true;
      }
    }
    await marbles(
      pull(source(), { credits: 2, onLeft: (value, outcome) => left.push(`${value} ${outcome}`) }),
      { sub: '^---!', out: '(ab)' },
      { sink: () => undefined },
    );
    expect(left).toEqual(['a released', 'b released']);
    expect(closed).toBe(true);
  });

  it('releases what is in flight when the iterable fails, and hands the error on', async () => {
    const left: string[] = [];
    function* source(): Generator<string> {
      yield 'a';
      throw new Error('unreadable');
    }
    await marbles(
      pull(source(), { credits: 2, onLeft: (value, outcome) => left.push(`${value} ${outcome}`) }),
      { out: '(a#)' },
      { sink: () => undefined, error: new Error('unreadable') },
    );
    expect(left).toEqual(['a released']);
  });
});
