import fc from 'fast-check';
import { type Observable, from, map, filter as only, delay, asyncScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Delivery, deliveries, filterOut, values } from 'penstock/operators';
import {
  act,
  type Answer,
  chain,
  contexts,
  countsOf,
  defineOpenPlugin,
  fail,
  filter,
  fromClass,
  type Given,
  log,
  messages,
  type OpenContext,
  type Passed,
  Plugin,
  PluginContext,
  type PluginOperator,
  type PluginOptions,
  PluginRegistry,
  PluginResult,
  publish,
  RoutingPlugin,
  type SendToTopic,
  skip,
} from 'penstock/plugin';
import { actionId } from '../../src/plugin/action-id.js';
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

describe('the forms of a plugin', () => {
  it('any RxJS runs on each context by itself: what it drops is filtered', async () => {
    const odd = defineOpenPlugin({
      ...about,
      name: 'odd',
      reads: messages<number>(),
      operator: () => (contexts$) => contexts$.pipe(only(({ message }) => message % 2 === 1)),
    });
    expect(run(odd(), [1, 2, 3])).toMatchObject({
      out: [1, 3],
      left: ['1 delivered', '2 filtered odd: odd let nothing through', '3 delivered'],
    });
    const acting = defineOpenPlugin({
      ...about,
      name: 'acting',
      reads: messages<number>(),
      operator: () => (contexts$) => contexts$.pipe(map(({ message }) => (message === 1 ? explode() : act(publish('t', message))))),
    });
    expect(run(acting(), [1, 2]).counts).toMatchObject({ acting: { fail: 1, act: 1 } });
    const slow = defineOpenPlugin({
      ...about,
      name: 'slow',
      reads: messages(),
      operator: () => (contexts$) => contexts$.pipe(delay(3, asyncScheduler)),
    });
    await marbles(slow(), { in: 'ab|', out: '---a(b|)' }, { context: {} });
  });

  it('an operator over deliveries stands between its neighbours and keeps what they asked for', () => {
    const lawful = defineOpenPlugin({
      ...about,
      name: 'lawful',
      reads: messages<number>(),
      deliveries: () => filterOut<OpenContext<number>>(({ message }) => message === 2, 'two'),
    });
    const asked: unknown[] = [];
    from([1, 2, 3])
      .pipe(
        deliveries(),
        numbered,
        chain(
          doing('a', () => act(publish('t', 1))),
          lawful(),
          doing('b', (c) => (c.message === 3 ? act(publish('u', 1)) : undefined)),
        ),
      )
      .subscribe(({ value }) => asked.push([value.context.message, value.actions.map(({ plugin }) => plugin)]));
    expect(asked).toEqual([
      [1, ['a']],
      [3, ['a', 'b']],
    ]);
  });

  it('a class plugin has its config over its defaults, and is asked whether it runs', () => {
    class Shouting extends Plugin {
      override readonly name = 'shouting';
      override readonly defaultConfig = { level: 'info', loud: true };
      override shouldRun(context: Given<OpenContext>): boolean {
        return context.getField('message') !== 2;
      }
      override execute(): PluginResult {
        return PluginResult.log(String(this.config['level']), String(this.config['loud']));
      }
    }
    const actions: unknown[] = [];
    from([1, 2])
      .pipe(deliveries(), numbered, fromClass(Shouting, { level: 'warn' }))
      .subscribe(({ value }) => actions.push(value.actions.map(({ action }) => action.params)));
    expect(actions).toEqual([[{ level: 'warn', message: 'true' }], []]);
    class Filtering extends Plugin {
      override readonly name = 'filtering';
      override execute(): PluginResult {
        return PluginResult.filterOut('no');
      }
    }
    expect(run(fromClass(Filtering), [1]).left).toEqual(['1 filtered filtering: Filtered: no']);
  });

  it('a routing plugin sends what belongs to the message that it routes, even when it waits in between', async () => {
    class Router extends RoutingPlugin<number> {
      readonly name = 'router';
      shouldRoute(n: number): boolean {
        return n > 1;
      }
      async route(n: number, send: SendToTopic): Promise<void> {
        await this.sendToTopic('first', n, this.traceId(n));
        await new Promise((resolve) => setTimeout(resolve, 5 - n));
        await send('second', n, this.traceId(n));
      }
      traceId(n: number): string {
        return `t${n}`;
      }
    }
    const sent: unknown[] = [];
    await new Promise<void>((resolve) => {
      from([1, 2, 3])
        .pipe(deliveries(), numbered, fromClass(Router))
        .subscribe({
          next: ({ value }) =>
            sent.push([
              value.context.message,
              value.actions.map(({ action }) => action.type === 'publish_to_topic' && [action.params.topic, action.params.key]),
            ]),
          complete: resolve,
        });
    });
    expect(sent).toHaveLength(3);
    expect(sent).toEqual(
      expect.arrayContaining([
        [1, []],
        [
          2,
          [
            ['first', 't2'],
            ['second', 't2'],
          ],
        ],
        [
          3,
          [
            ['first', 't3'],
            ['second', 't3'],
          ],
        ],
      ]),
    );
    await expect(new Router().sendToTopic('t', 1, 'k')).rejects.toThrow('nothing is being routed');
  });

  it('F5: a registry chains, orders by priority, and refuses a name twice', () => {
    const late = defineOpenPlugin({ ...about, name: 'late', priority: 200, reads: messages(), create: () => () => undefined });
    const registry = new PluginRegistry('d', ['s', 't'])
      .register(late())
      .register(doing('first', () => undefined))
      .register(
        doing('only_t', () => undefined),
        ['t'],
      );
    expect(() => registry.register(late())).toThrow('registered for d already');
    expect(() =>
      registry.register(
        doing('x', () => undefined),
        ['u'],
      ),
    ).toThrow('no stage "u"');
    expect(
      registry
        .chains()
        .stage('s')
        .plugins.map(({ name }) => name),
    ).toEqual(['first', 'late']);
    expect(registry.names()).toEqual(['late', 'first', 'only_t']);
    expect(registry.unregister('late')).toBe(true);
    expect(registry.has('late')).toBe(false);
    registry.clear();
    expect(registry.names()).toEqual([]);
  });
});

describe('ids of actions', () => {
  const fields = { domain: 'xact', stage: 'result_process', event_id: 'e', message: { media_id: 'm' } };
  const id = (differing: object = {}, plugin = 'p', index = 0) => actionId(new PluginContext({ ...fields, ...differing }), plugin, index);

  it('are the same each time the message comes, and differ with all that they are made of', () => {
    expect(id({ headers: { a: '1' }, timestamp: new Date(0), retry_count: 3 })).toBe(id());
    const all = [
      id(),
      id({ domain: 'x' }),
      id({ stage: 's' }),
      id({ worker: 'w' }),
      id({ event_id: 'f' }),
      id({ message: { media_id: 'n' } }),
      id({}, 'q'),
      id({}, 'p', 1),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(id()).toMatch(/^[0-9a-f]{64}$/);
  });

  it('count attempts where the same message comes by once for each', () => {
    for (const stage of ['error', 'retry', 'dlq']) expect(id({ stage, retry_count: 1 })).not.toBe(id({ stage, retry_count: 2 }));
  });
});

describe('fused', () => {
  type Stream = Observable<Delivery<Passed<OpenContext<number>>>>;
  const verdicts = fc.constantFrom<Answer>(
    undefined,
    skip('s'),
    filter('f'),
    filter('f', [publish('t', 1)]),
    act(publish('t', 1)),
    act(log('info', 'x')),
    fail('x'),
  );

  it('is the same as one by one, for any plugins', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.tuple(verdicts, fc.boolean()), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
        async (tables) => {
          const plugins = () =>
            tables.map((table, at) =>
              doing(`p${at}`, (c) => {
                const [answer, later] = table[c.message % table.length]!;
                return later ? Promise.resolve(answer as Answer<number>) : (answer as Answer<number>);
              }),
            );
          const outcome = async (apply: (source$: Stream) => Stream) => {
            const seen = new Map<number, unknown>();
            const left: string[] = [];
            await new Promise<void>((resolve) => {
              apply(source(left)).subscribe({
                next: ({ value: { context, actions, filtered } }) =>
                  seen.set(context.message, { filtered, actions: actions.map(({ id, plugin, action }) => [id, plugin, action.type]) }),
                complete: resolve,
              });
            });
            return { seen: [...seen].toSorted(([a], [b]) => a - b), left: left.toSorted() };
          };
          const source = (left: string[]): Stream =>
            from([0, 1, 2, 3, 4, 5]).pipe(
              deliveries({ onLeft: (n, door, reason) => left.push(`${n} ${door} ${reason}`) }),
              numbered,
              chain<OpenContext<number>>(),
            );
          const fused = plugins();
          const single = plugins();
          const together = await outcome((source$) => chain<OpenContext<number>>(...fused)(source$));
          const apart = await outcome((source$) => single.reduce((stream$, plugin) => plugin(stream$), source$));
          expect(together).toEqual(apart);
          expect(fused.map((plugin) => countsOf(plugin))).toEqual(single.map((plugin) => countsOf(plugin)));
        },
      ),
      { numRuns: 100 },
    );
  });
});
