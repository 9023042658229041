import { describe, expect, it } from 'vitest';
import { act, definePlugin, email, filter, log, metric, publish, webhook } from '../../src/plugin/index.js';
import type { WebhookAction } from '../../src/plugin/index.js';
import { LaneError, marbles, type MarblesOptions, playMarbles } from '../../src/testing/index.js';
import '../../src/domains/xact/stages.js';

const hook = 'https://hooks.example/x';
const caller = definePlugin({
  name: 'caller',
  version: '1.0.0',
  summary: 'Asks for one of each.',
  domains: ['xact'],
  stages: ['result_process'],
  effects: { actions: ['http_webhook', 'publish_to_topic', 'log', 'metric', 'send_email'], filters: true },
  create: () => (context) => {
    const message: unknown = context.message;
    if (message === 'p') return act(publish('alerts', message));
    if (message === 'x') return filter('unwanted', [publish('alerts', message)]);
    if (message === 'm') return act(metric('count'), log('info', 'seen'), email({ to: 'a@b.c', subject: 's', body: 'b' }));
    return act(webhook(hook, { body: message } as Omit<WebhookAction['params'], 'url'>), publish('alerts', message));
  },
})();

const context = { domain: 'xact', stage: 'result_process' };
const plain: MarblesOptions = { context };

describe('actions performed as mocks answer', () => {
  it('marks each call when it begins, and lets the delivery go when all are done', () =>
    marbles(
      caller,
      `
      in                            -a------|
      out                           -a------|
      webhook POST ${hook}  -a
      publish alerts                ----a
      delivered                     ------a
      `,
      { ...plain, mocks: { [`webhook POST ${hook}`]: '3ms ok', 'publish alerts': '2ms ok' } },
    ));

  it('tries a transient failure again, after a pause, as the answers say', () =>
    marbles(
      caller,
      {
        in: 'a|',
        out: 'a|',
        [`webhook POST ${hook}`]: 'a 11ms a',
        'publish alerts': '14ms a',
        delivered: '14ms a',
      },
      { ...plain, mocks: { 'webhook *': ['2ms 503', '2ms 200'] }, perform: { retry: { attempts: 3, base: 10, cap: 100 } } },
    ));

  it('fails the delivery when nobody takes a failed action, at once when it is permanent', () =>
    marbles(
      caller,
      { in: 'a|', out: 'a|', [`webhook POST ${hook}`]: 'a', failed: '--a' },
      { ...plain, mocks: { 'webhook *': '2ms 404' }, reasons: { a: /404/ } },
    ));

  it('takes its text and category from "throws"', () =>
    marbles(
      caller,
      { in: 'p|', out: 'p|', 'publish alerts': 'p', failed: 'p' },
      { ...plain, mocks: { publish: 'throws permanent: no such topic' }, reasons: { p: /no such topic/ } },
    ));

  it('goes on without what failed when somebody takes it', () =>
    marbles(
      caller,
      { in: 'a|', out: 'a|', [`webhook POST ${hook}`]: 'a', delivered: '--a' },
      { ...plain, mocks: { [`webhook ${hook}`]: '2ms 404' }, perform: { onActionFailed: () => undefined } },
    ));

  it('a call that is never answered runs out of time', () =>
    marbles(
      caller,
      { in: 'p|', out: 'p|', 'publish alerts': 'p', failed: '5062ms p' },
      { ...plain, mocks: { 'publish *': 'never' }, tolerance: { failed: 100 }, perform: { retry: { attempts: 1, base: 1, cap: 1 } } },
    ));

  it('what was filtered leaves when its actions are done', () =>
    marbles(
      caller,
      { in: 'x---|', out: '----|', 'publish alerts': 'x', filtered: '---x' },
      { ...plain, mocks: { 'publish alerts': '3ms ok' } },
    ));

  it('what no mock names is done at once; a name comes before a star', async () => {
    await marbles(
      caller,
      { in: 'mp|', out: 'mp|', 'metric count': 'm', log: 'm', email: 'm', 'publish alerts': '-p', delivered: 'm--p' },
      { ...plain, mocks: { '*': 'ok', 'publish *': '9ms ok', 'publish alerts': '2ms' } as never },
    ).then(
      () => expect.unreachable(),
      (error: unknown) => expect(error).toMatchObject({ code: 'PS5001' }),
    );
    await marbles(
      caller,
      { in: 'mp|', out: 'mp|', 'metric count': 'm', log: 'm', email: 'm', 'publish alerts': '-p', delivered: 'm--p' },
      { ...plain, mocks: { 'publish *': '9ms ok', 'publish alerts': '2ms' } },
    );
  });

  it('gives what is under way back when it is left', () =>
    marbles(
      caller,
      { in: 'p----|', sub: '^-!', out: 'p', 'publish alerts': 'p', released: '--p' },
      { ...plain, mocks: { publish: '9ms ok' } },
    ));

  it('answers how often each mock was asked', async () => {
    const play = await playMarbles(caller, { in: 'pp|' }, { ...plain, mocks: { 'publish alerts': 'ok', 'webhook *': '503' } });
    expect(play.mocks).toEqual([
      { mock: 'publish alerts', asked: 2 },
      { mock: 'webhook *', asked: 0 },
    ]);
  });

  it.each([
    ['publish alerts', '5ms maybe', /an answer is "ok".*found "5ms maybe"/],
    ['publish alerts', '5 ms 503', /found "5 ms 503"/],
    ['post https://x', 'ok', /only publish, webhook, email, log, metric can be answered/],
    ['email', [] as string[], /there is no answer in it/],
  ] as const)('a mock "%s" that answers "%s" is refused', async (mock, answer, message) => {
    const error: unknown = await marbles(caller, { in: 'a|' }, { ...plain, mocks: { [mock]: answer } }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LaneError);
    expect((error as Error).message).toMatch(message);
  });

  it('without mocks actions stand where they were asked for, and nothing waits', () =>
    marbles(caller, { in: 'a|', out: 'a|', [`webhook POST ${hook}`]: 'a', 'publish alerts': 'a', delivered: 'a' }, plain));
});
