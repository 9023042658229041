import fc from 'fast-check';
import {
  asapScheduler,
  asyncScheduler,
  audit,
  auditTime,
  bufferCount,
  bufferTime,
  bufferWhen,
  catchError,
  combineLatestWith,
  concatMap,
  concatWith,
  debounce,
  debounceTime,
  defaultIfEmpty,
  delay,
  delayWhen,
  distinctUntilChanged,
  endWith,
  exhaustMap,
  expand,
  filter,
  finalize,
  groupBy,
  ignoreElements,
  interval,
  map,
  mergeMap,
  mergeScan,
  mergeWith,
  type MonoTypeOperatorFunction,
  NEVER,
  observeOn,
  of,
  pairwise,
  publishReplay,
  raceWith,
  refCount,
  repeat,
  retry,
  sampleTime,
  scan,
  share,
  shareReplay,
  skip,
  skipUntil,
  startWith,
  subscribeOn,
  switchMap,
  switchScan,
  take,
  takeLast,
  takeUntil,
  takeWhile,
  throttle,
  throttleTime,
  throwError,
  timeInterval,
  timeout,
  timer,
  toArray,
  windowTime,
  withLatestFrom,
  zipWith,
} from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { type MarblePlay, playMarbles, playMarblesSync } from '../../src/testing/index.js';

type Plain = MonoTypeOperatorFunction<string>;
const after = (ms: number) => (value: string) => timer(ms).pipe(map(() => value));
const joined = (values: readonly unknown[]): string => values.map(String).join('');

/** Operators at once and by timers, whose every result is a text; those that tick for ever are taken a few of. */
const corpus: Readonly<Record<string, Plain>> = {
  map: map((value) => value.toUpperCase()),
  filter: filter((value) => value !== 'b'),
  scan: scan((all, value) => all + value),
  take: take(2),
  takeNone: take(0),
  skip: skip(1),
  takeLast: takeLast(1),
  takeWhile: takeWhile((value) => value !== 'c'),
  takeWhileInclusive: takeWhile((value) => value !== 'c', true),
  takeUntil: takeUntil(timer(4)),
  takeUntilNever: takeUntil(NEVER),
  skipUntil: skipUntil(timer(3)),
  distinct: distinctUntilChanged(),
  startWith: startWith('s'),
  endWith: endWith('e'),
  concatWith: concatWith(timer(2).pipe(map(() => 'w'))),
  mergeWith: (source) =>
    source.pipe(
      mergeWith(
        interval(3).pipe(
          take(2),
          map((at) => `i${at}`),
        ),
      ),
    ),
  raceWith: raceWith(timer(2).pipe(map(() => 'r'))),
  ignore: ignoreElements() as unknown as Plain,
  defaultIfEmpty: defaultIfEmpty('d'),
  pairwise: (source) => source.pipe(pairwise(), map(joined)),
  toArray: (source) => source.pipe(toArray(), map(joined)),
  bufferCount: (source) => source.pipe(bufferCount(2, 1), map(joined)),
  catchError: catchError(() => of('x')),
  catchLater: catchError(() => timer(2).pipe(map(() => 'x'))),
  failing: mergeMap((value) => (value === 'c' ? throwError(() => 'error') : of(value))),
  retry: retry(1),
  retryLater: retry({ count: 2, delay: 3 }),
  repeat: repeat(2),
  repeatLater: repeat({ count: 2, delay: 2 }),
  finalize: finalize(() => undefined),
  delay: delay(3),
  delayNone: delay(0),
  delayWhen: delayWhen((value) => timer(value === 'a' ? 4 : 1)),
  debounce: debounceTime(2),
  debounceBy: debounce((value) => timer(value === 'a' ? 3 : 1)),
  throttle: throttleTime(3),
  throttleBoth: throttleTime(3, asyncScheduler, { leading: true, trailing: true }),
  throttleTrailing: throttleTime(3, asyncScheduler, { leading: false, trailing: true }),
  throttleBy: throttle(() => timer(2)),
  audit: auditTime(2),
  auditBy: audit(() => timer(3)),
  sample: (source) => source.pipe(sampleTime(3), take(3)),
  buffer: (source) => source.pipe(bufferTime(4), take(3), map(joined)),
  bufferOverlapping: (source) => source.pipe(bufferTime(4, 2), take(4), map(joined)),
  bufferFull: (source) => source.pipe(bufferTime(4, null, 2), take(4), map(joined)),
  bufferWhen: (source) =>
    source.pipe(
      bufferWhen(() => timer(3)),
      take(3),
      map(joined),
    ),
  window: (source) =>
    source.pipe(
      windowTime(4),
      take(3),
      mergeMap((part) => part.pipe(toArray(), map(joined))),
    ),
  groups: (source) =>
    source.pipe(
      groupBy((value) => value),
      mergeMap((group) =>
        group.pipe(
          debounceTime(2),
          map((value) => group.key + value),
        ),
      ),
    ),
  timeout: timeout({ each: 4, with: () => of('t') }),
  timeoutFirst: timeout({ first: 3, with: () => throwError(() => 'error') }),
  timeInterval: (source) =>
    source.pipe(
      timeInterval(),
      map(({ value, interval: ms }) => `${value}${ms}`),
    ),
  merge: mergeMap(after(3)),
  mergeOne: mergeMap(after(2), 1),
  concat: concatMap(after(2)),
  switch: switchMap(after(2)),
  exhaust: exhaustMap(after(2)),
  mergeScan: mergeScan((all, value) => timer(2).pipe(map(() => all + value)), ''),
  switchScan: switchScan((all, value) => timer(1).pipe(map(() => all + value)), ''),
  expand: expand((value) => (value.length < 3 ? timer(2).pipe(map(() => `${value}+`)) : NEVER.pipe(takeUntil(timer(0))))),
  combineLatest: (source) => source.pipe(combineLatestWith(interval(3).pipe(take(2))), map(joined)),
  withLatest: (source) => source.pipe(withLatestFrom(interval(2).pipe(take(3))), map(joined)),
  zip: (source) => source.pipe(zipWith(interval(2).pipe(take(2))), map(joined)),
  share: share(),
  shareReplay: shareReplay(1),
  // The older pair of the same, that a few still use.
  replay: (source) => source.pipe(publishReplay(1), refCount()),
  observeOn: observeOn(asyncScheduler),
  asap: observeOn(asapScheduler),
  subscribeOn: subscribeOn(asyncScheduler, 2),
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

/** What RxJS' own runner receives; nothing where it loses its own intervals (those of `bufferTime` that overlap, when the source fails). */
function byRxjs(operators: readonly Plain[], drawn: string, unsubscribed: string | undefined): readonly Received[] | undefined {
  const received: Received[] = [];
  const scheduler = new TestScheduler((actual) => {
    for (const { frame, notification } of actual as { frame: number; notification: { kind: string; value?: unknown } }[]) {
      received.push({ frame, kind: notification.kind, value: notification.value });
    }
  });
  try {
    scheduler.run(({ hot, cold, expectObservable }) => {
      const source = drawn.includes('^') ? hot(drawn) : cold(drawn);
      expectObservable(through(operators)(source), unsubscribed).toBe('');
    });
  } catch (error) {
    if (error instanceof Error && error.message === 'Expected a due immediate or interval') return undefined;
    throw error;
  }
  return received;
}

const KINDS: Readonly<Record<string, string>> = { next: 'N', error: 'E', complete: 'C' };

function outOf({ lanes }: MarblePlay): readonly Received[] {
  const out = lanes.find(({ name }) => name === 'out')?.received ?? [];
  return out.map(({ frame, kind, value }) => ({ frame, kind: KINDS[kind]!, value: kind === 'next' ? value : undefined }));
}

const pieces = fc.oneof(fc.constantFrom('-', '--', 'a', 'b', 'c', '(ab)', '(bc)', ' ', ' 4ms '), fc.constant('-'));
const lane = fc
  .tuple(fc.array(pieces, { maxLength: 10 }), fc.constantFrom('', '|', '#', '-|', '(c|)'), fc.boolean())
  .map(([parts, end, hot]) => `${hot ? 'a-^' : ''}${parts.join('')}${end}`);
// A source that never ends is left, or periodic timers would go round in RxJS' own runner for ever.
const leaving = fc.option(
  fc.nat({ max: 12 }).map((frame) => `^${'-'.repeat(frame)}-!`),
  { nil: undefined },
);
const names = Object.keys(corpus);
const ends = (drawn: string): boolean => /[|#]/.test(drawn);

let compared = 0;

async function agree(chosen: readonly string[], drawn: string, left: string | undefined): Promise<void> {
  const sub = ends(drawn) ? left : (left ?? `^${'-'.repeat(14)}!`);
  const operators = chosen.map((name) => corpus[name]!);
  const expected = byRxjs(operators, drawn, sub);
  fc.pre(expected !== undefined);
  compared += 1;
  const lanes = { in: drawn, out: '', ...(sub === undefined ? {} : { sub }) };
  const options = { input: 'values' } as const;
  const async = await playMarbles(through(operators), lanes, options);
  expect(outOf(async)).toEqual(expected);
  // What is put off by a promise cannot be played at once.
  if (!chosen.includes('asap')) expect(outOf(playMarblesSync(through(operators), lanes, options))).toEqual(expected);
  // What comes out is compared with RxJS' own and not with the lane, which is drawn so that ends are recorded as well.
  expect(async.problems.filter(({ lane: about }) => about !== 'out')).toEqual([]);
}

describe('operators are played as RxJS’ TestScheduler plays them', () => {
  it.each(names)('%s', (name) =>
    fc.assert(
      fc.asyncProperty(lane, leaving, (drawn, left) => agree([name], drawn, left)),
      { numRuns: 15, seed: 20_26 },
    ),
  );

  it('two and three of them together', () =>
    fc.assert(fc.asyncProperty(fc.array(fc.constantFrom(...names), { minLength: 2, maxLength: 3 }), lane, leaving, agree), {
      numRuns: 500,
      seed: 20_27,
    }));
});
