import { delay, ignoreElements, map, mergeWith, type Observable, switchMap, throwError, timer } from 'rxjs';
import { describe, it } from 'vitest';
import { callEach, type Delivery, filterOut, inLanes, mapEach } from '../../operators/index.js';
import { holdUntil } from '../../src/runtime/hold-until.js';
import { type Failure, worker, type WorkerParts } from '../../src/runtime/worker.js';
import { marbles } from '../../src/testing/index.js';

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const never = () => new Promise<void>(() => undefined);

/** One letter's step: capitals share a lane with their small letter; `f` and `g` fail, `x` is filtered, `h` hangs. */
const step = (letter: string): void | Promise<void> => {
  if (letter === 'f' || letter === 'g') throw new Error(`${letter} is wrong`);
  return letter === 'h' ? never() : later(letter === 'a' ? 4 : 2);
};

const steps = (deliveries$: Observable<Delivery<string>>) =>
  deliveries$.pipe(
    inLanes({ key: (letter) => letter.toLowerCase() }),
    filterOut((letter) => letter === 'x', 'not wanted'),
    callEach(step, { concurrency: 10, order: 'none' }),
  );

/** Written after one millisecond; then `f` is retried and the rest dead-lettered. */
const failures: WorkerParts<string>['failures'] = (failures$) =>
  failures$.pipe(
    callEach<Failure>(() => later(1)),
    map((delivery) => {
      delivery.settle(delivery.value.value === 'f' ? 'retried' : 'dead_lettered', String(delivery.value.error));
      return delivery;
    }),
  );

/** A worker of which only the end comes out. */
function mounted(parts: Partial<WorkerParts<string>> = {}) {
  return ((source: Observable<Delivery<string>>) =>
    worker({ name: 'w', source, steps, failures, ...parts }).pipe(ignoreElements())) as never;
}

describe('worker', () => {
  it('settles each delivery by the door that its steps found', () =>
    marbles(mounted(), { in: 'bxfg---|', delivered: '--b', filtered: '-x', retried: '---f', dead_lettered: '----g' }));

  it('tells of each as it left, and completes when the source has and everything is out', () =>
    marbles(
      ((source: Observable<Delivery<string>>) =>
        worker({ name: 'w', source, steps, failures }).pipe(map(({ outcome }) => (outcome === 'delivered' ? 'D' : 'F')))) as never,
      { in: 'ax|', delivered: '----a', filtered: '-x', out: '-F--(D|)' },
    ));

  it('completes when nothing comes', () => marbles(mounted(), { in: '--|', out: '--|' }));
  it('waits with a source that never ends', () => marbles(mounted(), { in: 'b--', delivered: '--b' }));

  it('L3: keeps the order of a key, and lets other keys pass', () => marbles(mounted(), { in: '(aAb)------|', delivered: '--b-a-A' }));

  it('L7: what fails goes its way, and those behind it go on', () =>
    marbles(mounted(), { in: 'gfgb---|', dead_lettered: '-g-g', retried: '--f', delivered: '-----b' }));

  it('L8: on the signal it takes nothing more, finishes what is in flight and completes', () => {
    const draining = new AbortController();
    const start = (source: Observable<Delivery<string>>) => {
      setTimeout(() => draining.abort(), 2);
      return worker({ name: 'w', source, steps, failures, signal: draining.signal }).pipe(ignoreElements());
    };
    return marbles(start as never, { in: 'af---b', delivered: '----a', retried: '--f', out: '----|' });
  });

  it('L8: a signal that has come already lets nothing in', () => marbles(mounted({ signal: AbortSignal.abort() }), { in: 'a---' }));

  it('releases what is held until it is due when it drains', () => {
    const draining = new AbortController();
    const start = (source: Observable<Delivery<string>>) => {
      setTimeout(() => draining.abort(), 5);
      return worker({
        name: 'w',
        source,
        signal: draining.signal,
        steps: holdUntil<string>({ due: (letter) => (letter === 'a' ? 3 : 60_000), maxHeld: 10, signal: draining.signal }),
        failures,
      }).pipe(ignoreElements());
    };
    return marbles(start as never, { in: 'bac---', delivered: '---a', out: '-----|', released: '-----(bc)' });
  });

  it('unsubscribing releases what is in flight, wherever it is', () =>
    marbles(mounted(), { in: '(aAhf)-|', sub: '^-!', retried: '-f', released: '--(aAh)' }));

  it('releases also what its steps forgot that they hold', () =>
    marbles(mounted({ steps: delay(9) }), { in: 'ab----|', sub: '^--!', released: '---(ab)' }));

  it('L10: one that hangs holds its own key only', () => marbles(mounted(), { in: '(hHb)---', delivered: '--b' }, { inFlight: 'hH' }));

  it('A16: a failure that cannot be handled gives its delivery back', () =>
    marbles(
      mounted({
        failures: mapEach<Failure, unknown>(() => {
          throw new Error('no route');
        }),
      }),
      { in: 'fb--|', released: 'f', delivered: '---b' },
      { reasons: { f: /could not be handled: Error: no route/ } },
    ));

  it('when the source fails, what is in flight is finished first and the error goes on', () =>
    marbles(mounted(), { in: 'a-#', delivered: '----a', out: '----#' }));

  it('steps that break give everything back, and tell', () =>
    marbles(
      mounted({
        steps: (deliveries$) =>
          deliveries$.pipe(
            callEach<string>(() => later(9)),
            mergeWith(timer(3).pipe(switchMap(() => throwError(() => 'error')))),
          ),
      }),
      { in: 'ab---', released: '---(ab)', out: '---#' },
    ));
});
