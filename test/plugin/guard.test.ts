import { from, ignoreElements, map, type Observable, of, Subject, throwError, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { type Delivery, deliveries, values } from 'penstock/operators';
import {
  act,
  type Answer,
  chain,
  chainWith,
  contexts,
  countsOf,
  defineOpenPlugin,
  fail,
  filter,
  type Given,
  log,
  messages,
  type OpenContext,
  PluginContext,
  type PluginOperator,
  type PluginOptions,
  skip,
} from 'penstock/plugin';
import { marbles } from '../../src/testing/index.js';

const about = { version: '1.0.0', summary: 'A plugin.' };
type Work = (context: Given<OpenContext<number>>) => Answer<number> | PromiseLike<Answer<number>>;

const doing = (name: string, work: Work, options: PluginOptions = {}) =>
  defineOpenPlugin({ ...about, name, reads: messages<number>(), create: () => work })(undefined, options);

const numbered = contexts({ domain: 'd', stage: 's', event_id: (n: number) => String(n) });
const explode = (): never => {
  throw new Error('ouch');
};

function run(plugin: PluginOperator<never>, numbers: readonly number[]) {
  const left: string[] = [];
  const failures: unknown[] = [];
  const out: number[] = [];
  from(numbers)
    .pipe(
      deliveries({
        onLeft: (n, outcome, reason) => left.push(`${n} ${outcome}${reason === undefined ? '' : ` ${reason}`}`),
        onFailure(error, delivery) {
          failures.push(error);
          delivery.settle('dead_lettered');
        },
      }),
      numbered,
      plugin as PluginOperator,
      values(),
    )
    .subscribe((passed) => out.push((passed as { context: { message: number } }).context.message));
  return { left, failures, out, counts: countsOf(plugin) };
}

describe('the guard', () => {
  it('A25: a plugin that throws harms nobody: the next ones run, and the next deliveries', () => {
    const seen: number[] = [];
    const { out, counts } = run(
      chain(
        doing('bad', (c) => (c.message === 2 ? explode() : undefined)),
        doing('good', (c) => void seen.push(c.message)),
      ),
      [1, 2, 3],
    );
    expect(out).toEqual([1, 2, 3]);
    expect(seen).toEqual([1, 2, 3]);
    expect(counts).toMatchObject({ bad: { pass: 2, fail: 1 }, good: { pass: 3 } });
  });

  it('F10: a condition that cannot be decided harms its plugin only', () => {
    const hostile = new PluginContext<unknown>({ domain: 'd', stage: 's', event_id: 'e', message: { list: 7 } });
    const plugin = doing('p', () => filter('never'), { when: 'message.list.exists(x, x == 1)' });
    const out: unknown[] = [];
    of(hostile)
      .pipe(deliveries(), chain(plugin as PluginOperator, doing('q', () => undefined) as PluginOperator))
      .subscribe((delivery) => out.push(delivery));
    expect(out).toHaveLength(1);
    expect(countsOf(plugin)).toMatchObject({ p: { fail: 1 } });
  });

  it('follows on_error: the delivery goes on, is dead-lettered, or is given back and the worker told', () => {
    const stopped = vi.fn();
    expect(run(doing('p', explode), [1]).out).toEqual([1]);
    const dlq = run(
      doing('p', () => fail('no'), { onError: 'dlq' }),
      [1],
    );
    expect(dlq.failures).toMatchObject([{ code: 'PS4001', category: 'permanent', message: 'plugin p failed: no' }]);
    expect(dlq.left).toEqual(['1 dead_lettered']);
    const stop = run(chainWith({ onStop: stopped }, doing('p', explode, { onError: 'stop' })), [1]);
    expect(stop.left).toEqual(['1 released plugin p failed: ouch']);
    expect(stopped).toHaveBeenCalledWith('p', expect.any(Error));
  });

  it('takes a result that is none for a failure', () => {
    expect(
      run(
        doing('p', () => 'yes' as never),
        [1],
      ),
    ).toMatchObject({ out: [1], counts: { p: { fail: 1 } } });
    expect(
      run(
        doing('p', () => ({ kind: 'odd' }) as never),
        [1],
      ),
    ).toMatchObject({ out: [1], counts: { p: { fail: 1 } } });
  });

  it('opens the breaker when too many calls fail, lets one try after a while, and closes it when that succeeds', () => {
    const clock = new VirtualTimeScheduler();
    let broken = true;
    const calls: number[] = [];
    const plugin = doing(
      'p',
      (c) => {
        calls.push(c.message);
        if (broken) explode();
      },
      { breaker: { failures: 3, window: 1_000, open: 5_000, probes: 1 } },
    );
    const source = new Subject<number>();
    source.pipe(deliveries(), numbered, chainWith({ clock }, plugin), values()).subscribe();
    for (let n = 1; n <= 6; n += 1) source.next(n);
    expect(calls).toEqual([1, 2, 3]);
    expect(countsOf(plugin)).toMatchObject({ p: { fail: 3, rejected: 3 } });
    clock.frame = 5_000;
    source.next(7);
    source.next(8);
    expect(calls).toEqual([1, 2, 3, 7]);
    broken = false;
    clock.frame = 10_000;
    for (let n = 9; n <= 11; n += 1) source.next(n);
    expect(calls).toEqual([1, 2, 3, 7, 9, 10, 11]);
  });

  it('does not open the breaker for failures that are few among many', () => {
    const plugin = doing('p', (c) => (c.message % 10 === 0 ? explode() : undefined));
    const { counts } = run(
      plugin,
      Array.from({ length: 200 }, (_, n) => n),
    );
    expect(counts).toMatchObject({ p: { fail: 20, rejected: 0 } });
  });

  it("gives a call its time and no more; its late answer is nobody's", async () => {
    const late = (n: number) => new Promise<Answer<number>>((resolve) => setTimeout(() => resolve(filter('late')), n));
    await marbles(
      doing('p', () => late(100), { timeoutMs: 16 }),
      { in: 'a|', out: '16ms (a|)' },
      { context: {} },
    );
    await marbles(
      doing('p', () => late(10), { timeoutMs: 16 }),
      { in: 'a|', out: '10ms |', filtered: '10ms a' },
      { context: {} },
    );
  });

  it('a time-out frees the lane', () =>
    marbles(
      doing('p', () => new Promise<undefined>(() => undefined), { timeoutMs: 16 }),
      { in: '(ab)|', out: '16ms a 15ms (b|)' },
      { context: { event_id: 'same' } },
    ));

  it('keeps the order of a key, of the source, or none', async () => {
    const slowly: Work = (c) =>
      new Promise((resolve) => setTimeout(() => resolve(undefined), (c.message as unknown as string) === 'a' ? 5 : 1));
    const key = { context: (_message: unknown, letter: string) => ({ event_id: letter === 'c' ? 'other' : 'same' }) };
    await marbles(doing('p', slowly), { in: '(abc)|', out: '-c---a(b|)' }, key);
    await marbles(doing('p', slowly, { order: 'none' }), { in: '(abc)|', out: '-(bc)(a|)' }, key);
    await marbles(
      doing('p', slowly, { order: 'source' }),
      { in: '(abc)|', out: '5ms (abc|)' },
      { context: (_: unknown, letter: string) => ({ event_id: letter }) },
    );
  });

  it('logs at a bounded rate and says how much it left out', () => {
    const lines: { message: string; suppressed?: number }[] = [];
    const clock = new VirtualTimeScheduler();
    const source = new Subject<number>();
    source
      .pipe(
        deliveries(),
        numbered,
        chainWith(
          { clock, log: (line) => lines.push(line) },
          doing('p', () => filter('unwanted')),
        ),
        values(),
      )
      .subscribe();
    for (let n = 0; n < 12; n += 1) source.next(n);
    clock.frame = 1_000;
    source.next(12);
    expect(lines.map(({ suppressed }) => suppressed)).toEqual([undefined, undefined, undefined, undefined, undefined, 7]);
    expect(lines[0]).toMatchObject({ level: 'info', plugin: 'p', event_id: '0', message: 'filtered by p: unwanted' });
  });

  it('never leaves the synchronous path for synchronous results', () => {
    const then = vi.spyOn(Promise.prototype, 'then');
    const timer = vi.spyOn(globalThis, 'setInterval');
    try {
      run(
        chain(
          doing('a', () => undefined),
          doing('b', () => skip('x')),
          doing('c', () => act(log('info', 'x'))),
        ),
        [1, 2, 3],
      );
      expect(then).not.toHaveBeenCalled();
      expect(timer).not.toHaveBeenCalled();
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('hands on what nobody asked anything of as the object that came in', () => {
    const given: Delivery<unknown>[] = [];
    const taken: unknown[] = [];
    of(1)
      .pipe(
        deliveries(),
        numbered,
        (source) => source.pipe(map((delivery) => (given.push(delivery), delivery))),
        chain(doing('a', () => undefined)),
      )
      .subscribe((delivery) => taken.push(delivery));
    expect(taken[0]).toBe(given[0]);
  });
});

describe('an operator over deliveries as a plugin', () => {
  type Works = (source: Observable<Delivery<OpenContext<number>>>) => Observable<Delivery<OpenContext<number>>>;
  const over = (works: Works, options: PluginOptions = {}) =>
    defineOpenPlugin({ ...about, name: 'over', reads: messages<number>(), deliveries: () => works })(undefined, options);
  const throwsAt = (...bad: readonly number[]): Works =>
    map((delivery) => {
      if (bad.includes(delivery.value.message)) throw new Error('ouch');
      return delivery;
    });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('L10: whose stream breaks loses nothing: what was in its hands passes on, and it begins anew', async () => {
    const { left, out, failures, counts } = run(chain(over(throwsAt(2))), [1, 2, 3]);
    await turn();
    expect(out).toEqual([1, 3, 2]);
    expect(left).toEqual(['1 delivered', '3 delivered', '2 delivered']);
    expect(failures).toEqual([]);
    expect(counts['over']).toMatchObject({ pass: 2, fail: 1 });
  });

  it('follows its on_error', async () => {
    const dead = run(chain(over(throwsAt(2), { onError: 'dlq' })), [1, 2, 3]);
    await turn();
    expect(dead.out).toEqual([1, 3]);
    expect(dead.failures).toMatchObject([{ code: 'PS4001', category: 'permanent', message: 'plugin over failed: ouch' }]);
    const stops: string[] = [];
    const lines: string[] = [];
    const told = { onStop: (plugin: string) => stops.push(plugin), log: ({ message }: { message: string }) => lines.push(message) };
    const stopped = run(chainWith(told, over(throwsAt(2), { onError: 'stop' })), [1, 2, 3]);
    await turn();
    expect(stopped.left).toContain('2 released plugin over failed: ouch');
    expect([stops, lines]).toEqual([['over'], ['ouch']]);
  });

  it('is passed over for a while when it breaks too often', async () => {
    const clock = new VirtualTimeScheduler();
    const source = new Subject<number>();
    const out: number[] = [];
    const plugin = over(throwsAt(1, 2, 3), { breaker: { failures: 3, window: 1_000, open: 5_000, probes: 1 } });
    source
      .pipe(deliveries(), numbered, chainWith({ clock }, plugin), values())
      .subscribe(({ context }) => out.push((context as { message: number }).message));
    for (const n of [1, 2, 3, 4]) source.next(n);
    await turn();
    clock.frame = 5_000;
    source.next(5);
    source.next(6);
    await turn();
    expect(out.toSorted()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(countsOf(plugin)['over']).toMatchObject({ fail: 3, rejected: 1, pass: 2 });
  });

  it('that breaks before it has seen anything is begun once, not for ever', async () => {
    let begun = 0;
    const { out, counts } = run(
      chain(
        over(() => {
          begun += 1;
          return throwError(() => new Error('no'));
        }),
      ),
      [1, 2],
    );
    await turn();
    expect([begun, out]).toEqual([1, [1, 2]]);
    expect(counts['over']).toMatchObject({ fail: 1, rejected: 2 });
  });

  it('releases what it kept when somebody leaves, or when it is done', async () => {
    const left: string[] = [];
    const source = new Subject<number>();
    const kept = source
      .pipe(deliveries({ onLeft: (n, outcome) => left.push(`${n} ${outcome}`) }), numbered, chain(over(ignoreElements() as never)))
      .subscribe();
    source.next(1);
    kept.unsubscribe();
    expect(left).toEqual(['1 released']);
    expect(run(chain(over(ignoreElements() as never)), [1]).left).toEqual(['1 released unsubscribed']);
    await turn();
  });
});
