/*
 * What a stage of five synchronous plugins costs with all duties on (isolation, breaker, counters, sampled durations, time limits, order), beside
 * the same work in plain RxJS operators, and beside the naive form: one `mergeMap(defer().pipe(timeout, catchError))` for each plugin. All run
 * alternately in one process, on the same deliveries; processor time a message, medians, and ratios formed within each round. A different result
 * of the work fails the run.
 *
 *   npx vite build --ssr bench/plugins.ts --outDir bench/.out && node --expose-gc bench/.out/plugins.js [messages] [rounds]
 */
import { cpus } from 'node:os';
import { catchError, defer, EMPTY, filter as only, mergeMap, Observable, of, tap, timeout } from 'rxjs';
import type { Delivery, Outcome } from '../operators/index.js';
import { chain, defineOpenPlugin, type Given, messages, type OpenContext, PluginContext, filter } from '../src/plugin/index.js';

const MESSAGES = Number(process.argv[2] ?? 400_000);
const ROUNDS = Number(process.argv[3] ?? 7);
const NAIVE_SHARE = 40;

interface Event {
  readonly status: string;
  readonly retry_count: number;
  readonly bytes: number;
}

/** What the work came to: the same for every design, or the comparison means nothing. */
class Tally {
  out = 0;
  filtered = 0;
  bytes = 0;
  completed = 0;
  checks = 0;

  get text(): string {
    return [this.out, this.filtered, this.bytes, this.completed, this.checks].join(' ');
  }
}

let tally = new Tally();

/** A delivery without a log behind it, so that the figures are those of the stage. */
class BenchDelivery<T> implements Delivery<T> {
  readonly origin = undefined;
  readonly outcome = undefined;
  constructor(readonly value: T) {}
  settle(outcome: Outcome): void {
    if (outcome === 'filtered') tally.filtered += 1;
  }
  fail(): void {
    throw new Error('nothing fails here');
  }
  whenSettled(): void {
    // Nobody asks.
  }
  carry(): void {
    // Nothing is carried.
  }
  with<U>(value: U): Delivery<U> {
    return new BenchDelivery(value);
  }
  fork<U>(values: readonly U[]): readonly Delivery<U>[] {
    return values.map((value) => this.with(value));
  }
}

type Ctx = Given<OpenContext<Event>>;

const POOL: readonly Ctx[] = Array.from({ length: 4_096 }, (_, at) => {
  const draw = Math.imul(at + 1, 2_654_435_761) >>> 0;
  return new PluginContext<Event>({
    domain: 'xact',
    stage: 'result_process',
    event_id: `e-${at}`,
    event_type: draw % 10 === 0 ? 'heartbeat' : `claim.${draw % 7}`,
    message: { status: draw % 3 === 0 ? 'completed' : 'failed', retry_count: draw % 41, bytes: draw % 5_000 },
    data: {},
    timestamp: new Date(0),
  });
});

// The five steps, the same for every design.
const isHeartbeat = (context: Ctx): boolean => context.event_type === 'heartbeat';
const isWornOut = (context: Ctx): boolean => context.message.retry_count > 39;
const count = (context: Ctx): void => void (tally.bytes += context.message.bytes);
const isLarge = (context: Ctx): boolean => context.message.bytes > 2_500;
const check = (): void => void (tally.checks += 1);
const status = (context: Ctx): void => void (context.message.status === 'completed' && (tally.completed += 1));

const about = { version: '1.0.0', summary: 'A step of the comparison.', reads: messages<Event>() };
const heartbeats = filter('heartbeat');
const wornOut = filter('worn out');
const plugins = [
  defineOpenPlugin({ ...about, name: 'heartbeats', create: () => (context) => (isHeartbeat(context) ? heartbeats : undefined) })(),
  defineOpenPlugin({ ...about, name: 'worn_out', create: () => (context) => (isWornOut(context) ? wornOut : undefined) })(),
  defineOpenPlugin({ ...about, name: 'bytes', create: () => count })(),
  defineOpenPlugin({ ...about, name: 'large', create: () => (context) => void (isLarge(context) && check()) })(),
  defineOpenPlugin({ ...about, name: 'status', create: () => status })(),
];

type Stage = (source: Observable<Delivery<Ctx>>) => Observable<unknown>;

const drop = (delivery: Delivery<Ctx>): false => {
  delivery.settle('filtered', 'dropped');
  return false;
};

const plain: Stage = (source) =>
  source.pipe(
    only((delivery) => !isHeartbeat(delivery.value) || drop(delivery)),
    only((delivery) => !isWornOut(delivery.value) || drop(delivery)),
    tap((delivery) => count(delivery.value)),
    tap((delivery) => void (isLarge(delivery.value) && check())),
    tap((delivery) => status(delivery.value)),
  );

const naively = (work: (context: Ctx) => boolean | void) =>
  mergeMap((delivery: Delivery<Ctx>) =>
    defer(() => {
      if (work(delivery.value) !== false) return of(delivery);
      drop(delivery);
      return EMPTY;
    }).pipe(
      timeout(5_000),
      catchError(() => of(delivery)),
    ),
  );

const naive: Stage = (source) =>
  source.pipe(
    naively((context) => !isHeartbeat(context)),
    naively((context) => !isWornOut(context)),
    naively(count),
    naively((context) => void (isLarge(context) && check())),
    naively(status),
  );

const ours: Stage = chain<OpenContext<Event>>(...plugins) as unknown as Stage;
const oneByOne: Stage = (source) =>
  plugins.reduce<Observable<unknown>>((stream$, plugin) => (plugin as unknown as Stage)(stream$ as Observable<Delivery<Ctx>>), source);
const direct: Stage = (source) =>
  new Observable((subscriber) =>
    source.subscribe({
      next(delivery) {
        const context = delivery.value;
        if (isHeartbeat(context) || isWornOut(context)) {
          drop(delivery);
          return;
        }
        count(context);
        if (isLarge(context)) check();
        status(context);
        subscriber.next(delivery);
      },
      complete: () => subscriber.complete(),
    }),
  );

/** Processor time of the whole process for each message, in nanoseconds. */
function measure(stage: Stage, messagesIn: number): number {
  tally = new Tally();
  const source = new Observable<Delivery<Ctx>>((subscriber) => {
    for (let at = 0; at < messagesIn; at += 1) subscriber.next(new BenchDelivery(POOL[at & 4_095]!));
    subscriber.complete();
  });
  globalThis.gc?.();
  const before = process.cpuUsage();
  stage(source).subscribe(() => (tally.out += 1));
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / messagesIn;
}

const designs: readonly { readonly name: string; readonly stage: Stage; readonly share: number }[] = [
  { name: 'one operator, five steps by hand', stage: direct, share: 1 },
  { name: 'plain RxJS operators', stage: plain, share: 1 },
  { name: 'chain, all duties', stage: ours, share: 1 },
  { name: 'plugins one by one, all duties', stage: oneByOne, share: 1 },
  { name: 'naive mergeMap, timeout, catchError', stage: naive, share: NAIVE_SHARE },
];

const figures = designs.map(() => [] as number[]);
const toPlain = designs.map(() => [] as number[]);
let expected: string | undefined;
for (let round = -1; round < ROUNDS; round += 1) {
  const costs = designs.map(({ stage, share }) => {
    // a whole number of pools, so that every share of it comes to the same per message
    const messagesIn = Math.ceil(MESSAGES / share / 4_096) * 4_096;
    const cost = measure(stage, messagesIn);
    const whole = tally.text
      .split(' ')
      .map((number) => (Number(number) * 4_096) / messagesIn)
      .join(' ');
    expected ??= whole;
    if (whole !== expected) throw new Error(`another result: ${whole} instead of ${expected}`);
    return cost;
  });
  if (round < 0) continue;
  costs.forEach((cost, at) => {
    figures[at]!.push(cost);
    toPlain[at]!.push(cost / costs[1]!);
  });
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const shown = (number: number): string => number.toFixed(number < 10 ? 2 : 0);

console.log(
  `${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}, ${MESSAGES} messages, ${ROUNDS} rounds; work per pool: ${expected}`,
);
console.log('design | ns a message (min-max) | to plain RxJS');
designs.forEach(({ name }, at) => {
  const all = figures[at]!;
  console.log(`${name} | ${shown(median(all))} (${shown(Math.min(...all))}-${shown(Math.max(...all))}) | ${shown(median(toPlain[at]!))}`);
});
console.log(`naive to ours: ${shown(median(figures[4]!.map((cost, round) => cost / figures[2]![round]!)))}`);
