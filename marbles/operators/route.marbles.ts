import { throwError } from 'rxjs';
import { describe, it } from 'vitest';
import { callEach, mapEach, route, tapEach } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const great = mapEach((value: string) => value.toUpperCase());
const plain = tapEach<string>(() => undefined);
const byLetter = route<string>({ by: (value) => value, to: { a: great, b: plain } });
const slow = callEach<string>(() => new Promise((resolve) => setTimeout(resolve, 4)));

describe('route', () => {
  it('sends each item through the branch that it names', () =>
    marbles(
      byLetter,
      `
      in        -a-b-c-|
      out       -A-b---|
      filtered  -----c--
      `,
      { reasons: { c: 'no route for c' } },
    ));

  it('completes when nothing comes', () => marbles(byLetter, { in: '-|', out: '-|' }));
  it('completes without branches too', () => marbles(route<string>({ by: () => 'x', to: {} }), { in: 'a|', out: '-|', filtered: 'a' }));
  it('waits with a source that never ends', () => marbles(byLetter, { in: 'ab-', out: 'Ab-' }));
  it('sends the rest elsewhere', () =>
    marbles(route<string>({ by: (value) => value, to: { a: great }, otherwise: plain }), { in: 'abc|', out: 'Abc|' }));
  it('completes when its branches have', () =>
    marbles(route<string>({ by: (value) => value, to: { a: slow, b: plain } }), { in: 'ab|', out: '-b--(a|)' }));
  it('releases what its branches hold at an early unsubscribe', () =>
    marbles(route<string>({ by: (value) => value, to: { a: slow } }), { in: 'a-|', sub: '^-!', out: '-', released: '--a' }));
  it('releases what its branches hold when the source fails, and hands the error on once', () =>
    marbles(route<string>({ by: (value) => value, to: { a: slow, b: slow } }), { in: 'ab-#', out: '---#', released: '---(ab)' }));
  it('ends when a branch ends by an error', () =>
    marbles(
      route<string>({ by: (value) => value, to: { a: slow, b: () => throwError(() => 'error') } }),
      { in: 'a-|', out: '#' },
      { ignore: ['released'] },
    ));
  it('A25: fails an item whose branch cannot be told, and its neighbours go on', () =>
    marbles(
      route<string>({
        by: (value) => {
          if (value === 'b') throw new Error('which one');
          return value;
        },
        to: { a: great, b: plain },
      }),
      { in: 'aba|', out: 'A-A|', failed: '-b' },
    ));
  it('knows no branch that is not listed, whatever objects inherit', () =>
    marbles(route<string>({ by: () => 'toString', to: { a: great } }), { in: 'a|', out: '-|', filtered: 'a' }));
});
