import fc from 'fast-check';
import { config, from, type Observable, Subject, Subscriber, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { bounded, callEach, type Delivery, deliveries, inLanes, mapEach, type Outcome, pull, values } from '../../operators/index.js';
import { Ring } from '../../operators/ring.js';
import { Stage, stage } from '../../operators/stage.js';

const completed = (subscribe: (complete: () => void) => void): Promise<void> => new Promise((resolve) => subscribe(resolve));
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

describe('a link stands on the inside of RxJS, which must stay as it is', () => {
  it('Subscriber can be extended: `_next`, `_error`, `_complete` are called, and leaving from below stops it', () => {
    const heard: string[] = [];
    class Listening extends Stage<number, number> {
      protected override _next(value: number): void {
        heard.push(`next ${value}`);
        this.downstream.next(value);
      }
      protected override closing(reason: string): void {
        heard.push(reason);
      }
    }
    const listening = stage<number, number>((downstream) => new Listening(downstream));
    const source = new Subject<number>();
    const subscription = source.pipe(listening).subscribe();
    source.next(1);
    subscription.unsubscribe();
    source.next(2);
    expect(heard).toEqual(['next 1', 'unsubscribed']);
    expect(source.observed).toBe(false);
    for (const method of ['_next', '_error', '_complete']) expect(Subscriber.prototype).toHaveProperty(method);
  });
});

describe('Ring', () => {
  it('keeps the order through growth and wrapping', () => {
    const ring = new Ring<number>(2);
    const out: (number | undefined)[] = [];
    for (const at of numbers(100)) {
      ring.push(at);
      if (at % 3 === 0) out.push(ring.shift());
    }
    while (ring.size > 0) out.push(ring.shift());
    expect(out).toEqual(numbers(100));
    expect([ring.shift(), ring.peek()]).toEqual([undefined, undefined]);
  });
});

describe('many items', () => {
  it('RxJS #7334: a burst behind one slow call neither stops nor overflows the stack', async () => {
    const out: number[] = [];
    await completed((complete) =>
      from(numbers(20_000))
        .pipe(
          deliveries(),
          callEach((value) => (value === 0 ? Promise.resolve() : undefined), { concurrency: 1 }),
          values(),
        )
        .subscribe({ next: (value) => out.push(value), complete }),
    );
    expect(out).toEqual(numbers(20_000));
  });

  it('of one key, or behind a bound, do not overflow the stack either', async () => {
    for (const gate of [inLanes<number>({ key: () => 'one' }), bounded<number>({ inFlight: 1 })]) {
      const out: number[] = [];
      await completed((complete) =>
        from(numbers(20_000))
          .pipe(
            deliveries(),
            gate,
            callEach((value) => (value === 0 ? Promise.resolve() : undefined), { order: 'none' }),
            values(),
          )
          .subscribe({ next: (value) => out.push(value), complete }),
      );
      expect(out).toEqual(numbers(20_000));
    }
  });

  it('synchronous items stay on the synchronous path', () => {
    const out: number[] = [];
    from(numbers(10))
      .pipe(
        deliveries(),
        inLanes({ key: String }),
        bounded({ inFlight: 3 }),
        callEach(() => undefined),
        mapEach((value) => value * 2),
        values(),
      )
      .subscribe((value) => out.push(value));
    expect(out).toEqual(numbers(10).map((value) => value * 2));
  });

  it('an item that arrives while another leaves does not overtake those that wait', async () => {
    const source = new Subject<number>();
    const out: number[] = [];
    const done = completed((complete) =>
      source
        .pipe(
          deliveries<number>({
            onLeft: (value) => {
              if (value < 5) source.next(value + 100);
              if (value === 105) source.complete();
            },
          }),
          callEach(() => Promise.resolve(), { concurrency: 1 }),
          values(),
        )
        .subscribe({ next: (value) => out.push(value), complete }),
    );
    for (const value of [1, 2, 3, 105]) source.next(value);
    await done;
    expect(out).toEqual([1, 2, 3, 105, 101, 102, 103]);
  });

  it('L4: pull keeps no more in flight than its credits, over thousands of items', async () => {
    let inFlight = 0;
    let most = 0;
    let left = 0;
    await completed((complete) =>
      pull(numbers(5000), {
        credits: 7,
        onLeft: () => {
          inFlight -= 1;
          left += 1;
        },
      })
        .pipe(
          callEach(
            (_value: number, _delivery: Delivery<number>) => {
              inFlight += 1;
              most = Math.max(most, inFlight);
              return Promise.resolve();
            },
            { concurrency: 100 },
          ),
          values(),
        )
        .subscribe({ complete }),
    );
    expect(left).toBe(5000);
    expect(most).toBeLessThanOrEqual(7);
  });

  it('pull lets timers have their turn while every item leaves at once', async () => {
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 0);
    await completed((complete) => {
      pull(numbers(100_000), { credits: 1 }).pipe(values()).subscribe({ complete });
    });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});

describe('listeners that throw', () => {
  it('are reported, and the stream goes on', async () => {
    const reported: unknown[] = [];
    const before = config.onUnhandledError;
    config.onUnhandledError = (error) => reported.push(error);
    const out: number[] = [];
    from(numbers(3))
      .pipe(
        deliveries<number>({
          onLeft: () => {
            throw new Error('a bad listener');
          },
        }),
        values(),
      )
      .subscribe((value) => out.push(value));
    await new Promise((resolve) => setTimeout(resolve, 5));
    config.onUnhandledError = before;
    expect(out).toEqual([0, 1, 2]);
    expect(reported).toHaveLength(3);
  });
});

interface Item {
  readonly kind: 'answer' | 'later' | 'throw' | 'reject';
  readonly turns: number;
}

describe('the two ends keep the law', () => {
  const item: fc.Arbitrary<Item> = fc.record({ kind: fc.constantFrom('answer', 'later', 'throw', 'reject'), turns: fc.nat({ max: 4 }) });
  const behave = async (turns: number, failing: boolean): Promise<void> => {
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    if (failing) throw new Error('rejected');
  };

  it.each(['deliveries', 'pull'] as const)('%s: each item leaves once, whoever leaves when', async (end) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(item, { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        fc.option(fc.integer({ min: 1, max: 8 }), { nil: Number.POSITIVE_INFINITY }),
        fc.boolean(),
        async (items, credits, wanted, failing) => {
          const left = new Map<unknown, Outcome>();
          const entered = new Set<unknown>();
          const out: unknown[] = [];
          const onLeft = (value: unknown, outcome: Outcome): void => {
            expect(left.has(value)).toBe(false);
            left.set(value, outcome);
          };
          function* given(): Generator<Item> {
            for (const each of items) {
              entered.add(each);
              yield each;
            }
            if (failing) throw new Error('the source failed');
          }
          const opened: Observable<Delivery<Item>> =
            end === 'pull' ? pull<Item>(given(), { credits, onLeft }) : from(given()).pipe(deliveries<Item>({ onLeft }));
          await completed((complete) =>
            opened
              .pipe(
                callEach(({ kind, turns }: Item) => {
                  if (end === 'pull') expect(entered.size - left.size).toBeLessThanOrEqual(credits);
                  if (kind === 'throw') throw new Error('thrown');
                  return kind === 'answer' ? undefined : behave(turns, kind === 'reject');
                }),
                values(),
                take(wanted),
              )
              .subscribe({ next: (value) => out.push(value), complete, error: complete }),
          );
          expect([...left.keys()].filter((value) => left.get(value) === 'delivered')).toEqual(out);
          expect(new Set(left.keys())).toEqual(entered);
        },
      ),
      { numRuns: 300 },
    );
  });
});
