import { take } from 'rxjs';
import { describe, it } from 'vitest';
import { callEach, inLanes, values } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

describe('values', () => {
  it('emits each value and then settles its item as delivered', () =>
    marbles(
      values(),
      `
      in         -a-b-|
      out        -a-b-|
      delivered  -a-b--
      `,
    ));

  it('completes when nothing comes', () => marbles(values(), { in: '|', out: '|' }));
  it('waits with a source that never ends', () => marbles(values(), { in: 'a-', out: 'a-', delivered: 'a-' }));
  it('hands an error of the source on', () => marbles(values(), { in: 'a#', out: 'a#', delivered: 'a' }));
  it('counts as delivered the value with which somebody leaves', () =>
    marbles((source) => source.pipe(values(), take(1)), { in: '-ab|', out: '-(a|)', delivered: '-a' }));
  it('releases what is let go of because somebody leaves with the one before it', () =>
    marbles(
      (source) =>
        source.pipe(
          inLanes({ key: () => 'one' }),
          callEach(() => new Promise((resolve) => setTimeout(resolve, 3))),
          values(),
          take(1),
        ),
      { in: 'ab--|', out: '---(a|)', delivered: '---a', released: '---b' },
    ));
});
