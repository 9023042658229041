import fc from 'fast-check';
import {
  asyncScheduler,
  auditTime,
  bufferTime,
  catchError,
  concatMap,
  debounceTime,
  delay,
  distinctUntilChanged,
  endWith,
  exhaustMap,
  filter,
  ignoreElements,
  map,
  mergeMap,
  type MonoTypeOperatorFunction,
  type Observable,
  observeOn,
  of,
  pairwise,
  repeat,
  retry,
  sampleTime,
  scan,
  skip,
  startWith,
  switchMap,
  take,
  takeLast,
  takeWhile,
  throttleTime,
  timeout,
  timer,
  toArray,
} from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { expect, it } from 'vitest';
import { marbles, marblesSync } from '../../src/testing/index.js';

type Plain = MonoTypeOperatorFunction<string>;
/** Plain operators, at once and by timers, whose every result is a text. */
const corpus: Readonly<Record<string, Plain>> = {
  map: map((value) => value.toUpperCase()),
  filter: filter((value) => value !== 'b'),
  scan: scan((all, value) => all + value),
  take: take(2),
  skip: skip(1),
  takeLast: takeLast(1),
  takeWhile: takeWhile((value) => value !== 'c'),
  distinct: distinctUntilChanged(),
  startWith: startWith('s'),
  endWith: endWith('e'),
  ignore: ignoreElements() as unknown as Plain,
  pairwise: (source) =>
    source.pipe(
      pairwise(),
      map((pair) => pair.join('')),
    ),
  toArray: (source) =>
    source.pipe(
      toArray(),
      map((all) => all.join('')),
    ),
  catchError: catchError(() => of('x')),
  retry: retry(1),
  repeat: repeat(2),
  delay: delay(3),
  debounce: debounceTime(2),
  throttle: throttleTime(3),
  audit: auditTime(2),
  sample: (source) => source.pipe(sampleTime(3), take(3)),
  buffer: (source) =>
    source.pipe(
      bufferTime(4),
      take(3),
      map((all) => all.join('')),
    ),
  timeout: timeout({ each: 4, with: () => of('t') }),
  merge: mergeMap((value) => timer(3).pipe(map(() => value))),
  concat: concatMap((value) => timer(2).pipe(map(() => value))),
  switch: switchMap((value) => timer(2).pipe(map(() => value))),
  exhaust: exhaustMap((value) => timer(2).pipe(map(() => value))),
  observeOn: observeOn(asyncScheduler),
  polling: mergeMap((value) =>
    timer(1, 2).pipe(
      take(2),
      map((at) => `${value}${at}`),
    ),
  ),
};

interface Received {
  readonly frame: number;
  readonly kind: string;
  readonly value: unknown;
}

const through =
  (operators: readonly Plain[]): Plain =>
  (source) =>
    operators.reduce((stream, operator) => operator(stream), source);

/** What RxJS' own runner receives. */
function byRxjs(operators: readonly Plain[], drawn: string, unsubscribed: string | undefined): readonly Received[] {
  const received: Received[] = [];
  const scheduler = new TestScheduler((actual) => {
    for (const { frame, notification } of actual as { frame: number; notification: { kind: string; value?: unknown } }[]) {
      received.push({ frame, kind: notification.kind, value: notification.value });
    }
  });
  scheduler.run(({ hot, cold, expectObservable }) => {
    const source: Observable<string> = drawn.includes('^') ? hot(drawn) : cold(drawn);
    expectObservable(through(operators)(source), unsubscribed).toBe('');
  });
  return received;
}

const pieces = fc.oneof(fc.constantFrom('-', '--', 'a', 'b', 'c', '(ab)', '(bc)', ' ', ' 4ms '), fc.constant('-'));
const lane = fc
  .tuple(fc.array(pieces, { maxLength: 10 }), fc.constantFrom('', '|', '#', '-|', '(c|)'), fc.boolean())
  .map(([parts, end, hot]) => `${hot ? 'a-^' : ''}${parts.join('')}${end}`);
const chosen = fc.array(fc.constantFrom(...Object.keys(corpus)), { minLength: 1, maxLength: 2 });
// A source that never ends is left, or periodic timers would go round in RxJS' own runner for ever.
const leaving = fc.option(
  fc.nat({ max: 12 }).map((frame) => `^${'-'.repeat(frame)}-!`),
  { nil: undefined },
);
const ends = (drawn: string): boolean => /[|#]/.test(drawn);

it('plays plain operators as RxJS’ TestScheduler does', async () => {
  let played = 0;
  await fc.assert(
    fc.asyncProperty(chosen, lane, leaving, async (names, drawn, left) => {
      const sub = ends(drawn) ? left : (left ?? `^${'-'.repeat(14)}!`);
      const operators = names.map((name) => corpus[name]!);
      const expected = byRxjs(operators, drawn, sub);
      const values: Record<string, unknown> = {};
      const letters = new Map<unknown, string>();
      for (const { kind, value } of expected) {
        if (kind !== 'N' || letters.has(value)) continue;
        const letter = String.fromCodePoint(0x100 + letters.size);
        letters.set(value, letter);
        values[letter] = value;
      }
      // Drawn exactly, each moment as far from the last as it was: groups are longer than a moment, so moments too close together are skipped.
      let out = '';
      let frame = 0;
      for (let at = 0; at < expected.length; ) {
        const moment = expected[at]!.frame;
        if (moment < frame) return;
        let group = '';
        let count = 0;
        for (; expected[at]?.frame === moment; at += 1, count += 1) {
          const { kind, value } = expected[at]!;
          group += kind === 'C' ? '|' : kind === 'E' ? '#' : letters.get(value)!;
        }
        out += '-'.repeat(moment - frame) + (count === 1 ? group : `(${group})`);
        frame = moment + (count === 1 ? 1 : count + 2);
      }
      played += 1;
      const subject = through(operators);
      const lanes = { in: drawn, out, ...(sub === undefined ? {} : { sub }) };
      await marbles(subject, lanes, { input: 'values', values });
      marblesSync(subject, lanes, { input: 'values', values });
    }),
    { numRuns: 400, seed: 20_26 },
  );
  expect(played).toBeGreaterThan(150);
});
