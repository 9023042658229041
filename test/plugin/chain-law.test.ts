import fc from 'fast-check';
import { type Observable, Subject, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Delivery, deliveries, type Outcome } from 'penstock/operators';
import {
  act,
  amend,
  chainWith,
  contexts,
  countsOf,
  defineOpenPlugin,
  fail,
  filter,
  messages,
  performActions,
  type PluginOperator,
  type PluginOptions,
  publish,
  skip,
} from 'penstock/plugin';

interface Message {
  readonly id: number;
  readonly key: string;
}

/** What a plugin does with one message. */
const behaviour = fc.constantFrom(
  'pass',
  'skip',
  'filter',
  'filter_acting',
  'act',
  'amend',
  'fail',
  'throw',
  'resolve',
  'resolve_filter',
  'reject',
  'never',
  'late',
);
type Behaviour = typeof behaviour extends fc.Arbitrary<infer B> ? B : never;

const ended = {
  pass: undefined,
  skip: skip('nothing to do'),
  filter: filter('unwanted'),
  filter_acting: filter('unwanted', [publish('t', 1)]),
  act: act(publish('t', 1)),
  amend: amend({ extra: true }),
  fail: fail('it did not work'),
};

interface Pending {
  readonly behaviour: Behaviour;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const TIMEOUT_MS = 160;

function pluginOf(name: string, behaviours: readonly Behaviour[], pending: Pending[], options: PluginOptions): PluginOperator {
  const plugin = defineOpenPlugin({
    name,
    version: '1.0.0',
    summary: 'Does as it is told.',
    reads: messages<Message>(),
    create: () => (context) => {
      const what = behaviours[context.message.id % behaviours.length]!;
      if (what === 'throw') throw new Error('thrown');
      if (what in ended) return ended[what as keyof typeof ended] as ReturnType<typeof skip> | undefined;
      return new Promise<undefined>((resolve, reject) => {
        pending.push({ behaviour: what, resolve: resolve as (value: unknown) => void, reject });
      });
    },
  });
  return plugin(undefined, { timeoutMs: TIMEOUT_MS, ...options }) as PluginOperator;
}

function settle({ behaviour: what, resolve, reject }: Pending): void {
  if (what === 'reject') reject(new Error('rejected'));
  else if (what === 'resolve_filter') resolve(filter('unwanted'));
  else resolve(undefined);
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
};

interface Run {
  readonly outcomes: Map<number, Outcome[]>;
  readonly out: number[];
  readonly failed: number[];
  readonly ended: string[];
}

function open(source: Observable<Message>, operator: PluginOperator, clock: VirtualTimeScheduler, acting: boolean): Run & { stop(): void } {
  const run: Run = { outcomes: new Map(), out: [], failed: [], ended: [] };
  const passed$ = source.pipe(
    deliveries({
      onLeft: ({ id }, outcome) => run.outcomes.set(id, [...(run.outcomes.get(id) ?? []), outcome]),
      onFailure(_error, delivery) {
        run.failed.push(1);
        delivery.settle('dead_lettered');
      },
    }),
    contexts({ domain: 'd', stage: 's', event_id: (message: Message) => message.key }),
    operator,
  );
  const done$: Observable<Delivery<{ readonly message: unknown }>> = acting
    ? passed$.pipe(performActions({ publish: () => Promise.resolve(), clock }))
    : (passed$.pipe((all$) => all$) as unknown as Observable<Delivery<{ readonly message: unknown }>>);
  const subscription = done$.subscribe({
    next(delivery) {
      const passed = delivery.value as { readonly message: Message; readonly filtered?: object };
      run.out.push(passed.message.id);
      delivery.settle(passed.filtered === undefined ? 'delivered' : 'filtered');
    },
    error: () => run.ended.push('error'),
    complete: () => run.ended.push('complete'),
  });
  return { ...run, stop: () => subscription.unsubscribe() };
}

const chains = fc.array(
  fc.record({
    behaviours: fc.array(behaviour, { minLength: 1, maxLength: 5 }),
    onError: fc.constantFrom('continue', 'dlq', 'stop'),
    order: fc.constantFrom('key', 'none', 'source'),
  }),
  { minLength: 1, maxLength: 4 },
);

/** What the world does next: another message, a promise that settles, time, or the end of all. */
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('message' as const), key: fc.constantFrom('a', 'b', 'c') }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('settle' as const), at: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat(400) }) },
  ),
  { maxLength: 40 },
);

function advance(clock: VirtualTimeScheduler, ms: number): void {
  clock.maxFrames = clock.frame + ms;
  clock.flush();
  clock.frame = clock.maxFrames;
}

describe('L10: a throwing, hanging or late plugin harms only itself', () => {
  it.each([false, true])('every delivery leaves exactly once, actions performed: %s', async (acting) => {
    await fc.assert(
      fc.asyncProperty(
        chains,
        steps,
        fc.constantFrom(1, 2, 64),
        fc.constantFrom('never', 'at once', 'after completion'),
        async (written, script, slots, leaving) => {
          const clock = new VirtualTimeScheduler(undefined, 0);
          const pending: Pending[] = [];
          const source = new Subject<Message>();
          const plugins = written.map(({ behaviours, ...options }, at) => pluginOf(`p${at}`, behaviours, pending, options));
          const operator = chainWith({ clock, slots }, ...plugins);
          const run = open(source, operator, clock, acting);
          let sent = 0;
          for (const step of script) {
            if (step.kind === 'message') source.next({ id: sent++, key: step.key });
            else if (step.kind === 'time') advance(clock, step.ms);
            else {
              const open = pending.filter(({ behaviour: what }) => what !== 'never' && what !== 'late');
              const one = open[step.at % Math.max(1, open.length)];
              if (one !== undefined) {
                pending.splice(pending.indexOf(one), 1);
                settle(one);
              }
            }
            await turns();
          }
          if (leaving === 'after completion') source.complete();
          if (leaving !== 'never') run.stop();
          else {
            source.complete();
            for (let round = 0; round < 100 && run.ended.length === 0; round += 1) {
              await turns();
              for (const one of pending.splice(0)) if (one.behaviour !== 'never' && one.behaviour !== 'late') settle(one);
              await turns();
              advance(clock, 2 * TIMEOUT_MS);
            }
            expect(run.ended).toEqual(['complete']);
          }
          for (const one of pending.splice(0)) settle({ ...one, behaviour: 'resolve' });
          await turns();
          expect(run.outcomes.size).toBe(sent);
          for (const outcomes of run.outcomes.values()) expect(outcomes).toHaveLength(1);
          expect(new Set(run.out).size).toBe(run.out.length);
          expect(run.ended).not.toContain('error');
          if (leaving !== 'never') return;
          for (const counts of Object.values(countsOf(operator))) {
            expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(sent);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps the order of a key, and of the source where that is asked for', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom('key', 'source'), fc.constantFrom(1, 3, 64), async (script, order, slots) => {
        const clock = new VirtualTimeScheduler(undefined, 0);
        const pending: Pending[] = [];
        const source = new Subject<Message>();
        const run = open(
          source,
          chainWith({ clock, slots }, pluginOf('p', ['resolve', 'pass', 'resolve', 'reject', 'never'], pending, { order })),
          clock,
          false,
        );
        const keys: string[] = [];
        for (const step of script) {
          if (step.kind === 'message') {
            source.next({ id: keys.length, key: step.key });
            keys.push(step.key);
          } else if (step.kind === 'time') advance(clock, step.ms);
          else {
            const open = pending.filter(({ behaviour: what }) => what !== 'never');
            const one = open[step.at % Math.max(1, open.length)];
            if (one !== undefined) {
              pending.splice(pending.indexOf(one), 1);
              settle(one);
            }
          }
          await turns();
        }
        source.complete();
        for (let round = 0; round < 100 && run.ended.length === 0; round += 1) {
          for (const one of pending.splice(0)) if (one.behaviour !== 'never') settle(one);
          await turns();
          advance(clock, 2 * TIMEOUT_MS);
          await turns();
        }
        expect(run.ended).toEqual(['complete']);
        expect(run.out).toHaveLength(keys.length);
        if (order === 'source') expect(run.out).toEqual(run.out.toSorted((a, b) => a - b));
        for (const key of ['a', 'b', 'c']) {
          const ofKey = run.out.filter((id) => keys[id] === key);
          expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 300 },
    );
  });
});
