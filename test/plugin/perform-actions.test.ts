import { of, Subject, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { type Delivery, deliveries, type Outcome, values } from 'penstock/operators';
import {
  act,
  type Action,
  addHeader,
  chain,
  contexts,
  defineOpenPlugin,
  email,
  filter,
  log,
  messages,
  metric,
  performActions,
  type PerformActionsOptions,
  PluginContext,
  type PluginOptions,
  publish,
  webhook,
} from 'penstock/plugin';
import { PenstockError } from '../../src/diagnostics/index.js';

interface Order {
  readonly id: string;
  readonly key: string;
}

const asking = (
  name: string,
  actions: readonly Action[] | ((order: Order) => readonly Action[]),
  options: PluginOptions = {},
  end?: string,
) =>
  defineOpenPlugin({
    name,
    version: '1.0.0',
    summary: 'Asks for actions.',
    reads: messages<Order>(),
    create: () => (context) => {
      const asked = typeof actions === 'function' ? actions(context.message) : actions;
      return end === undefined ? act(asked) : filter(end, asked);
    },
  })(undefined, options);

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

function running(plugins: ReturnType<typeof asking>[], options: PerformActionsOptions, clock = new VirtualTimeScheduler(undefined, 0)) {
  const source = new Subject<Order>();
  const left: [string, Outcome, string | undefined][] = [];
  const failures: unknown[] = [];
  const out: string[] = [];
  source
    .pipe(
      deliveries({
        onLeft: ({ id }, outcome, reason) => left.push([id, outcome, reason]),
        onFailure(error, delivery) {
          failures.push(error);
          delivery.settle('dead_lettered');
        },
      }),
      contexts({ domain: 'd', stage: 's', event_id: (order: Order) => order.id }),
      chain(...plugins),
      performActions({
        clock,
        random: () => 1,
        ...options,
        key: (delivery) => ((delivery.value as { message: Order }).message ?? { key: '' }).key,
      }),
      values(),
    )
    .subscribe(({ message }) => out.push(message.id));
  const advance = async (ms: number): Promise<void> => {
    clock.maxFrames = clock.frame + ms;
    clock.flush();
    clock.frame = clock.maxFrames;
    await turns();
  };
  return { source, left, failures, out, advance };
}

const one: Order = { id: '1', key: 'k' };
const transient = (text: string) => new PenstockError('PS4002', text, { category: 'transient' });

describe('performActions', () => {
  it('does the actions of a delivery in order, and then lets it go on', async () => {
    const done: string[] = [];
    const note = (action: Action): void => void done.push(action.type);
    const plugin = asking('p', [
      publish('t', 1),
      log('info', 'x'),
      metric('m'),
      webhook('https://a.example.com'),
      email({ to: 'a@b.c', subject: 's', body: 'b' }),
    ]);
    const { source, out, left } = running([plugin], {
      publish: async (action) => note(action),
      log: note,
      metric: note,
      webhook: note,
      email: note,
    });
    source.next(one);
    expect(out).toEqual([]);
    await turns();
    expect(done).toEqual(['publish_to_topic', 'log', 'metric', 'http_webhook', 'send_email']);
    expect(out).toEqual(['1']);
    expect(left).toEqual([['1', 'delivered', undefined]]);
  });

  it('F2: publishes to the topic of each action, under its key, with the headers that plugins before it added', () => {
    const sent: unknown[] = [];
    const plugins = [
      asking('a', [publish('before', 1), addHeader('x-a', '1'), publish('after', 2, { key: 'own', headers: { 'x-b': '2' } })]),
      asking('b', [publish('later', 3, { headers: { 'x-a': 'mine' } })]),
    ];
    const { source } = running(plugins, { publish: ({ params }) => void sent.push(params) });
    source.next(one);
    expect(sent).toEqual([
      { topic: 'before', payload: 1, key: '1', headers: {} },
      { topic: 'after', payload: 2, key: 'own', headers: { 'x-a': '1', 'x-b': '2' } },
      { topic: 'later', payload: 3, key: '1', headers: { 'x-a': 'mine' } },
    ]);
  });

  it("does not repeat the record's own headers in a publish", () => {
    const sent: unknown[] = [];
    const context = new PluginContext({
      domain: 'd',
      stage: 's',
      event_id: 'e',
      message: one,
      headers: { own: '1' },
      added_headers: { put: '2' },
    });
    const seen: unknown[] = [];
    const plugin = defineOpenPlugin({
      name: 'p',
      version: '1.0.0',
      summary: 'x',
      reads: messages<Order>(),
      create: () => (given) => {
        seen.push(given.headers);
        return act(publish('t', 1));
      },
    });
    of(context)
      .pipe(deliveries(), plugin(), performActions({ publish: ({ params }) => void sent.push(params.headers) }))
      .subscribe();
    expect(seen).toEqual([{ own: '1', put: '2' }]);
    expect(sent).toEqual([{ put: '2' }]);
  });

  it('tries a transient failure again after a pause, and a permanent one not', async () => {
    const publishing = vi.fn((): Promise<void> => Promise.reject(transient('busy')));
    publishing.mockImplementationOnce(() => Promise.reject(transient('busy')));
    publishing.mockImplementationOnce(() => Promise.reject(transient('busy')));
    publishing.mockImplementationOnce(() => Promise.resolve());
    const { source, out, advance } = running([asking('p', [publish('t', 1)])], {
      publish: publishing,
      retry: { attempts: 3, base: 100, cap: 5_000 },
    });
    source.next(one);
    await turns();
    expect(publishing).toHaveBeenCalledTimes(1);
    await advance(99);
    expect(publishing).toHaveBeenCalledTimes(1);
    await advance(1);
    expect(publishing).toHaveBeenCalledTimes(2);
    await advance(200);
    expect(out).toEqual(['1']);
    const permanent = vi.fn(() => Promise.reject(new PenstockError('PS4002', 'gone', { category: 'permanent' })));
    const second = running([asking('p', [publish('t', 1)])], { publish: permanent });
    second.source.next(one);
    await turns();
    await second.advance(10_000);
    expect(permanent).toHaveBeenCalledTimes(1);
    expect(second.failures).toHaveLength(1);
  });

  it('waits as long as the other side asked', async () => {
    const publishing = vi.fn(() => Promise.reject(new PenstockError('PS4002', 'busy', { category: 'transient', retryAfterMs: 700 })));
    const { source, advance } = running([asking('p', [publish('t', 1)])], { publish: publishing });
    source.next(one);
    await turns();
    await advance(699);
    expect(publishing).toHaveBeenCalledTimes(1);
    await advance(1);
    expect(publishing).toHaveBeenCalledTimes(2);
  });

  it('hands over an action that failed for good, and the rest of that plugin; the delivery goes on', async () => {
    const failed: string[] = [];
    const sent: string[] = [];
    const plugins = [asking('a', [publish('bad', 1), publish('never', 2)]), asking('b', [publish('good', 3)])];
    const { source, out, failures } = running(plugins, {
      publish({ params }) {
        if (params.topic === 'bad') throw new PenstockError('PS4002', 'gone', { category: 'permanent' });
        sent.push(params.topic);
      },
      onActionFailed: async ({ plugin, action }, error) => {
        await Promise.resolve();
        failed.push(`${plugin} ${action.type === 'publish_to_topic' ? action.params.topic : ''} ${(error as Error).message}`);
      },
    });
    source.next(one);
    await turns();
    expect(failed).toEqual([
      'a bad publish_to_topic of a failed: gone',
      'a never publish_to_topic of a was not begun, because one before it failed',
    ]);
    expect(sent).toEqual(['good']);
    expect(out).toEqual(['1']);
    expect(failures).toEqual([]);
  });

  it('fails the delivery when the action is required, when nobody keeps it, and when keeping it fails', async () => {
    const publishing = () => Promise.reject(new PenstockError('PS4002', 'gone', { category: 'permanent' }));
    const keeping = vi.fn(() => Promise.resolve());
    const required = running([asking('a', [publish('t', 1)], { required: true })], { publish: publishing, onActionFailed: keeping });
    required.source.next(one);
    await turns();
    expect(required.failures).toMatchObject([{ code: 'PS4002', category: 'permanent' }]);
    expect(keeping).not.toHaveBeenCalled();
    const unkept = running([asking('a', [publish('t', 1)])], {
      publish: publishing,
      onActionFailed: () => Promise.reject(new Error('no disk')),
    });
    unkept.source.next(one);
    await turns();
    expect(unkept.failures).toMatchObject([{ message: 'no disk' }]);
    expect(unkept.left).toEqual([['1', 'dead_lettered', undefined]]);
  });

  it('hands background actions over instead of doing them; what cannot be handed over fails the delivery', async () => {
    const outbox: string[] = [];
    const { source, out } = running([asking('a', [webhook('https://a.example.com'), publish('t', 1)])], {
      publish: () => undefined,
      background: async ({ id, action, mode }) => void outbox.push(`${mode} ${action.type} ${id.length}`),
    });
    source.next(one);
    await turns();
    expect(outbox).toEqual(['background http_webhook 64']);
    expect(out).toEqual(['1']);
    const full = running([asking('a', [webhook('https://a.example.com')])], {
      background: () => Promise.reject(new PenstockError('PS3002', 'disk full', { category: 'permanent' })),
      onActionFailed: () => undefined,
    });
    full.source.next(one);
    await turns();
    expect(full.failures).toMatchObject([{ message: expect.stringContaining('disk full') as string }]);
  });

  it('settles a filtered delivery after its actions are done', async () => {
    const { source, left, out } = running([asking('a', [publish('t', 1)], {}, 'unwanted')], { publish: () => Promise.resolve() });
    source.next(one);
    expect(left).toEqual([]);
    await turns();
    expect(left).toEqual([['1', 'filtered', 'a: unwanted']]);
    expect(out).toEqual([]);
  });

  it('does not repeat what was done before, and reports what is done', () => {
    const ids: string[] = [];
    const first = running([asking('a', [publish('t', 1), publish('u', 2)])], {
      publish: () => undefined,
      onDone: (_delivery, id) => ids.push(id),
    });
    first.source.next(one);
    expect(new Set(ids).size).toBe(2);
    const sent: string[] = [];
    const again = running([asking('a', [publish('t', 1), publish('u', 2)])], {
      publish: ({ params }) => void sent.push(params.topic),
      alreadyDone: () => new Set([ids[0]!]),
    });
    again.source.next(one);
    expect(sent).toEqual(['u']);
    expect(again.out).toEqual(['1']);
  });

  it('G11: tells how long an action took, its attempts and the pauses between them together', async () => {
    const took: number[] = [];
    const answers = [() => Promise.reject(new PenstockError('PS4002', 'answered 503', { category: 'transient' })), () => Promise.resolve()];
    const { source, advance } = running([asking('a', [publish('t', 1), publish('u', 2)])], {
      publish: ({ params }) => (params.topic === 't' ? answers.shift()!() : undefined),
      onDone: (_delivery, _id, _planned, milliseconds) => took.push(milliseconds),
      retry: { attempts: 2, base: 50, cap: 50 },
      random: () => 0.5,
    });
    source.next(one);
    await turns();
    await advance(200);
    expect(took[0]).toBeGreaterThan(0);
    expect(took[0]).toBeLessThanOrEqual(200);
    expect(took[1]).toBe(0);
  });

  it('F4: an action has a time limit, and what settles late changes nothing', async () => {
    let late: (() => void) | undefined;
    const failed = vi.fn();
    const { source, out, advance } = running([asking('a', [publish('t', 1)])], {
      publish: () => new Promise<void>((resolve) => (late = resolve)),
      onActionFailed: failed,
      retry: { attempts: 1, base: 1, cap: 1 },
    });
    source.next(one);
    await turns();
    await advance(4_900);
    expect(out).toEqual([]);
    await advance(200);
    expect(failed.mock.calls[0]?.[1]).toMatchObject({ code: 'PS4002', message: expect.stringContaining('not done in time') as string });
    expect(out).toEqual(['1']);
    late!();
    await turns();
    expect(out).toEqual(['1']);
  });

  it('lets a webhook that names a longer limit have it', async () => {
    const { source, failures, advance } = running([asking('a', [webhook('https://a.example.com', { timeout: 30 })])], {
      webhook: () => new Promise<void>(() => undefined),
      retry: { attempts: 1, base: 1, cap: 1 },
    });
    source.next(one);
    await turns();
    await advance(29_900);
    expect(failures).toEqual([]);
    await advance(200);
    expect(failures).toMatchObject([{ code: 'PS4002' }]);
  });

  it('keeps the order of a key, and runs other keys at once, no more than it may', async () => {
    const open: (() => void)[] = [];
    const began: string[] = [];
    const { source, out } = running([asking('a', ({ id }) => [publish(id, 1)])], {
      concurrency: 2,
      publish: ({ params }) =>
        new Promise<void>((resolve) => {
          began.push(params.topic);
          open.push(resolve);
        }),
    });
    for (const [id, key] of [
      ['1', 'k'],
      ['2', 'k'],
      ['3', 'l'],
      ['4', 'm'],
    ] as const)
      source.next({ id, key });
    expect(began).toEqual(['1', '3']);
    open[0]!();
    await turns();
    expect(began).toEqual(['1', '3', '2']);
    open[1]!();
    await turns();
    expect(began).toEqual(['1', '3', '2', '4']);
    open[2]!();
    open[3]!();
    await turns();
    expect(out).toEqual(['1', '3', '2', '4']);
  });

  it('F3: an action that nobody performs is an error at assembly where it was declared, else of its item', () => {
    const declared = defineOpenPlugin({
      name: 'declared',
      version: '1.0.0',
      summary: 'x',
      reads: messages<Order>(),
      effects: { actions: ['publish_to_topic'] },
      create: () => () => act(publish('t', 1)),
    });
    const contexts$ = of(new PluginContext({ domain: 'd', stage: 's', event_id: 'e', message: one })).pipe(deliveries());
    expect(() => contexts$.pipe(chain(declared()), performActions({ webhook: () => undefined }))).toThrow(
      'plugin declared may ask for publish_to_topic, and nothing here performs it',
    );
    const { source, failures } = running([asking('a', [publish('t', 1)])], {});
    source.next(one);
    expect(failures).toMatchObject([{ code: 'PS4002', cause: { code: 'PS1206' } }]);
  });

  it("keeps to a plugin's own policies: so many at once, a pause when too many fail", async () => {
    const publishing = vi.fn(() => Promise.reject(transient('down')));
    const failed: unknown[] = [];
    const policy = {
      timeoutMs: 1_000,
      retry: { attempts: 1, base: 1, cap: 1 },
      rate: undefined,
      concurrency: 1,
      breaker: { failures: 2, window: 1_000, open: 5_000, probes: 1 },
    };
    const { source } = running([asking('a', [publish('t', 1)])], {
      publish: publishing,
      policyOf: () => policy,
      onActionFailed: (_planned, error) => void failed.push(error),
    });
    for (const id of ['1', '2', '3']) {
      source.next({ id, key: id });
      await turns();
    }
    expect(publishing).toHaveBeenCalledTimes(2);
    expect(failed[2]).toMatchObject({ category: 'circuit_open' });
  });

  it('waits for an open breaker when the action is required: that is no attempt', async () => {
    let up = false;
    const publishing = vi.fn(() => (up ? Promise.resolve() : Promise.reject(transient('down'))));
    const policy = {
      timeoutMs: 1_000,
      retry: { attempts: 1, base: 1, cap: 1 },
      rate: undefined,
      concurrency: undefined,
      breaker: { failures: 1, window: 1_000, open: 5_000, probes: 1 },
    };
    const { source, out, left, failures, advance } = running([asking('a', [publish('t', 1)], { required: true })], {
      publish: publishing,
      policyOf: () => policy,
    });
    source.next({ id: '1', key: '1' });
    await turns();
    expect(failures).toHaveLength(1);
    source.next({ id: '2', key: '2' });
    await advance(4_999);
    expect(publishing).toHaveBeenCalledTimes(1);
    expect(left.map(([id]) => id)).toEqual(['1']);
    up = true;
    await advance(1);
    expect(out).toEqual(['2']);
    expect(failures).toHaveLength(1);
  });

  it('leaves what is handed over to the policies of whoever performs it', async () => {
    const handed: string[] = [];
    const policy = { timeoutMs: 1_000, retry: undefined, rate: { per_second: 1, burst: 1 }, concurrency: 1, breaker: undefined };
    const { source, out } = running([asking('a', [webhook('https://a.example.com')])], {
      policyOf: () => policy,
      background: (planned) => void handed.push(planned.action.type),
    });
    for (const id of ['1', '2', '3']) source.next({ id, key: id });
    await turns();
    expect(out).toEqual(['1', '2', '3']);
    expect(handed).toHaveLength(3);
  });

  it('spreads actions over time where a rate is asked for', async () => {
    const publishing = vi.fn(() => undefined);
    const policy = { timeoutMs: 1_000, retry: undefined, rate: { per_second: 1, burst: 1 }, concurrency: undefined, breaker: undefined };
    const { source, out, advance } = running([asking('a', [publish('t', 1)])], { publish: publishing, policyOf: () => policy });
    for (const id of ['1', '2', '3']) source.next({ id, key: id });
    expect(out).toEqual(['1']);
    await advance(1_000);
    expect(out).toEqual(['1', '2']);
    await advance(1_000);
    expect(out).toEqual(['1', '2', '3']);
  });

  it('releases what is out when it is torn down', async () => {
    const released: string[] = [];
    const source = new Subject<Order>();
    const subscription = source
      .pipe(
        deliveries({ onLeft: ({ id }, outcome) => released.push(`${id} ${outcome}`) }),
        contexts({ domain: 'd', stage: 's', event_id: (order: Order) => order.id }),
        asking('a', [publish('t', 1)]),
        performActions({ publish: () => new Promise<void>(() => undefined) }),
      )
      .subscribe((delivery: Delivery<unknown>) => delivery.settle('delivered'));
    source.next(one);
    source.complete();
    subscription.unsubscribe();
    await turns();
    expect(released).toEqual(['1 released']);
  });
});
