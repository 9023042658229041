import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { callEach, type Delivery, inLanes, openDelivery } from '../../operators/index.js';
import { type Settled, worker } from '../../src/runtime/worker.js';
import { Membership } from '../../src/transport/membership.js';
import type { BeatAnswer, LogStore } from '../../src/transport/log-store.js';
import { asyncScheduler } from 'rxjs';

/** Deliveries that the test can end from outside, as a log does that takes a partition away. */
function source() {
  const deliveries$ = new Subject<Delivery<string>>();
  const hand = (value: string): Delivery<string> => {
    const delivery = openDelivery(value, undefined, {
      settled: (ending, confirm) => confirm(ending.outcome),
      failed: (_error, failed) => failed.settle('released'),
    });
    deliveries$.next(delivery);
    return delivery;
  };
  return { deliveries$, hand };
}

function mounted(concurrency: number) {
  const { deliveries$, hand } = source();
  const begun: string[] = [];
  const settled: Settled[] = [];
  const finish: (() => void)[] = [];
  const subscription = worker<string>({
    name: 'w',
    source: deliveries$,
    steps: (items$) =>
      items$.pipe(
        inLanes({ key: (value) => value.toLowerCase() }),
        callEach(
          (value) => {
            begun.push(value);
            return new Promise<void>((resolve) => finish.push(resolve));
          },
          { concurrency, order: 'none' },
        ),
      ),
    failures: (failures$) => failures$,
  }).subscribe((one) => settled.push(one));
  return { hand, begun, settled, finish, subscription };
}

describe('what is taken away from a worker', () => {
  it('L3, L5: is not begun any more when it waits behind its key', () => {
    const { hand, begun, settled } = mounted(10);
    const [first, second] = [hand('a'), hand('A')];
    second.settle('released', 'the partition is lost');
    first.settle('released', 'the partition is lost');
    expect(begun).toEqual(['a']);
    expect(settled.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['released', 'the partition is lost'],
      ['released', 'the partition is lost'],
    ]);
  });

  it('L5: is not begun any more when it waits for a free call', async () => {
    const { hand, begun, finish } = mounted(1);
    hand('a');
    hand('b').settle('released', 'the partition is lost');
    hand('c');
    finish[0]!();
    await Promise.resolve();
    await Promise.resolve();
    expect(begun).toEqual(['a', 'c']);
  });

  it('L3: a worker that is stopped begins nothing', () => {
    const { hand, begun, subscription } = mounted(10);
    hand('a');
    hand('A');
    subscription.unsubscribe();
    expect(begun).toEqual(['a']);
  });

  it('what left before it came to the worker is none of its business', () => {
    const { deliveries$ } = source();
    const settled: Settled[] = [];
    worker<string>({ name: 'w', source: deliveries$, steps: (items$) => items$, failures: (failures$) => failures$ }).subscribe((one) =>
      settled.push(one),
    );
    const gone = openDelivery('a', undefined, { settled: (ending, confirm) => confirm(ending.outcome), failed: () => undefined });
    gone.settle('released');
    deliveries$.next(gone);
    expect(settled).toEqual([]);
  });
});

describe('a member that departs', () => {
  it('L5: leaves after the heartbeat that is on its way, which would make it a member again', async () => {
    const said: string[] = [];
    let answer: (answer: BeatAnswer) => void = () => undefined;
    const store = {
      leaseMs: undefined,
      shapeOf: () => '',
      beat: () => {
        said.push('beat');
        return new Promise<BeatAnswer>((resolve) => {
          answer = resolve;
        });
      },
      leave: () => {
        said.push('leave');
        return Promise.resolve();
      },
    } as unknown as LogStore;
    const membership = new Membership({
      store,
      clock: asyncScheduler,
      group: 'g',
      topics: ['t'],
      from: 'earliest',
      member: 'm',
      surrender: () => [],
      assign: () => said.push('assigned'),
      failed: () => said.push('failed'),
    });
    membership.join();
    const gone = membership.depart();
    await Promise.resolve();
    expect(said).toEqual(['beat']);
    answer({ granted: [], surplus: [] });
    await gone;
    expect(said).toEqual(['beat', 'leave']);
  });
});
