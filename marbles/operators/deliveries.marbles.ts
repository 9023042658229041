import { take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { callEach, type Delivery, deliveries, type Outcome, values } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';

const plain = { input: 'values' } as const;

describe('deliveries', () => {
  it('opens a claim for each value', () =>
    marbles(
      deliveries(),
      `
      in   -a-b-|
      out  -a-b-|
      `,
      plain,
    ));

  it('completes when nothing comes', () => marbles(deliveries(), { in: '|', out: '|' }, plain));
  it('waits with a source that never ends', () => marbles(deliveries(), { in: 'a-', out: 'a-' }, plain));
  it('hands an error of the source on', () => marbles(deliveries(), { in: 'a#', out: 'a#' }, plain));

  it('says of each value, once, how it left', async () => {
    const left: (readonly [string, Outcome, string | undefined])[] = [];
    const sink = (delivery: Delivery<unknown>): void => {
      delivery.settle('delivered');
      delivery.settle('released');
    };
    await marbles(
      deliveries<string>({ onLeft: (value, outcome, reason) => left.push([value, outcome, reason]) }),
      { in: 'ab|', out: 'ab|' },
      { ...plain, sink },
    );
    expect(left).toEqual([
      ['a', 'delivered', undefined],
      ['b', 'delivered', undefined],
    ]);
  });

  it('releases what is in flight at an early unsubscribe', async () => {
    const left: string[] = [];
    await marbles(
      deliveries<string>({ onLeft: (value, outcome) => left.push(`${value} ${outcome}`) }),
      { in: 'ab-|', sub: '^--!', out: 'ab' },
      { ...plain, sink: () => undefined },
    );
    expect(left).toEqual(['a released', 'b released']);
  });

  it('lets the last actions finish when the source has completed', async () => {
    const left: string[] = [];
    await marbles(
      (source) =>
        source.pipe(
          deliveries<string>({ onLeft: (value, outcome) => left.push(`${value} ${outcome}`) }),
          callEach(() => new Promise((resolve) => setTimeout(resolve, 5))),
        ),
      { in: 'a|', out: '-----(a|)' },
      plain,
    );
    expect(left).toEqual(['a delivered']);
  });

  it('releases what is in flight when the source fails', async () => {
    const left: string[] = [];
    await marbles(
      deliveries<string>({ onLeft: (value, outcome) => left.push(`${value} ${outcome}`) }),
      { in: 'a#', out: 'a#' },
      { ...plain, sink: () => undefined },
    );
    expect(left).toEqual(['a released']);
  });

  it('releases what failed, with the reason, when nobody sees to failures', async () => {
    const left: (string | undefined)[] = [];
    await marbles(
      deliveries<string>({ onLeft: (_value, outcome, reason) => left.push(outcome, reason) }),
      { in: 'a|', out: 'a|' },
      { ...plain, sink: (delivery) => delivery.fail(new Error('boom')) },
    );
    expect(left).toEqual(['released', 'boom']);
  });

  it('leaves a failure to whoever sees to it', async () => {
    const left: string[] = [];
    await marbles(
      deliveries<string>({
        onLeft: (_value, outcome) => left.push(outcome),
        onFailure: (_error, delivery) => delivery.settle('dead_lettered'),
      }),
      { in: 'a|', out: 'a|' },
      { ...plain, sink: (delivery) => delivery.fail(new Error('boom')) },
    );
    expect(left).toEqual(['dead_lettered']);
  });

  it('delivers the value that somebody took before he left, and releases no more than the rest', async () => {
    const left: string[] = [];
    await marbles(
      (source) => source.pipe(deliveries<string>({ onLeft: (value, outcome) => left.push(`${value} ${outcome}`) }), values(), take(1)),
      { in: '(ab)|', out: '(a|)' },
      plain,
    );
    expect(left).toEqual(['a delivered']);
  });
});
