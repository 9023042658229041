import { ignoreElements, tap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { esxProcessor } from '../../plugins/esx-processor.js';
import { eventFilter } from '../../plugins/event-filter.js';
import { failureAlerter } from '../../plugins/failure-alerter.js';
import {
  act,
  addHeader,
  amend,
  chain,
  deadLetter,
  defineOpenPlugin,
  fail,
  filter,
  messages,
  PluginResult,
  publish,
  type Result,
  skip,
} from '../../src/plugin/index.js';
import { assertPluginResult, createTestContext, runPlugin, xactContext } from '../../src/testing/index.js';

const answering = (answer: () => Result | Promise<Result>, options = {}) =>
  defineOpenPlugin({
    name: 'answering',
    version: '1.0.0',
    summary: 'Answers.',
    reads: messages<{ status: string }>(),
    effects: { filters: true, actions: ['publish_to_topic', 'add_header'] },
    create: () => () => answer() as never,
  })({}, options);

describe('contexts for tests', () => {
  it('are valid ones of their stage, with what the test says', () => {
    const context = xactContext({ status: 'failed_permanent', retry_count: 4 }, { id: 'x' });
    expect(context).toMatchObject({
      domain: 'xact',
      stage: 'result_process',
      event_id: 't-x',
      retry_count: 4,
      message: { trace_id: 't-x', status: 'failed_permanent', retry_count: 4 },
      data: { media_id: 'm-x' },
    });
    expect(xactContext({}, { stage: 'event_ingest' })).toMatchObject({
      message: { traceId: 't-1' },
      data: { status_subtype: 'statusChanged' },
    });
    expect(xactContext({}, { stage: 'error', error: 'no', retry_count: 7 })).toMatchObject({
      error: 'no',
      retry_count: 7,
      data: { error_category: 'transient' },
    });
  });

  it('are refused where no worker would hand such a message over', () => {
    expect(() => xactContext({ statsu: 'completed' } as never)).toThrow(
      expect.objectContaining({ code: 'PS5023', help: 'did you mean "status"?' }),
    );
    expect(() => xactContext({ retry_count: 'many' } as never)).toThrow(/no message of result_process: retry_count: /);
    expect(() => createTestContext('xact', 'results')).toThrow(expect.objectContaining({ code: 'PS1205' }));
  });

  it('of a domain that nobody knows are what was given', () => {
    expect(
      createTestContext('orders', 'placed', { message: { total: 3 }, data: { a: 1 }, headers: { h: 'x' }, event_type: 'order' }),
    ).toEqual({
      domain: 'orders',
      stage: 'placed',
      worker: undefined,
      message: { total: 3 },
      event_id: '1',
      event_type: 'order',
      project_id: null,
      data: { a: 1 },
      headers: { h: 'x' },
      error: null,
      retry_count: 0,
      timestamp: expect.any(Date),
    });
  });
});

describe('runPlugin', () => {
  const completed = xactContext({ status: 'completed', file_type: 'ESX' });

  it('tells what a plugin asked for', async () => {
    const run = await runPlugin(esxProcessor, completed);
    expect(run).toMatchObject({ success: true, terminated: false, error: undefined, verdict: undefined });
    expect(run.actions).toMatchObject([{ type: 'publish_to_topic', params: { topic: 'xact.esx.processing' } }]);
    assertPluginResult(run, { actions: 1 });
    assertPluginResult(run, { actions: ['publish_to_topic'] });
    assertPluginResult(await runPlugin(failureAlerter(), completed));
  });

  it('tells why it ended, with actions and without', async () => {
    const test = createTestContext('xact', 'event_ingest', { event_type: 'claim.test.x' });
    const filtered = await runPlugin(eventFilter({ pattern: 'claim.test' }), test);
    expect(filtered).toMatchObject({ success: true, terminated: true, actions: [], reason: expect.stringMatching(/claim.test.x/) });
    assertPluginResult(
      await runPlugin(
        answering(() => filter('no')),
        completed,
      ),
      { terminated: true },
    );
    const asking = await runPlugin(
      answering(() => filter('no', [publish('a', 1)])),
      completed,
    );
    assertPluginResult(asking, { terminated: true, actions: 1 });
    expect(asking.reason).toBe('no');
  });

  it('tells what failed, whatever on_error says', async () => {
    for (const onError of ['continue', 'dlq', 'stop'] as const) {
      const run = await runPlugin(
        answering(() => fail(new Error('broken')), { onError }),
        completed,
      );
      assertPluginResult(run, { success: false, terminated: onError !== 'continue' });
      expect(run.error).toMatchObject({ message: 'broken' });
    }
    assertPluginResult(
      await runPlugin(
        answering(() => Promise.reject(new Error('later'))),
        completed,
      ),
      { success: false },
    );
  });

  it('tells what failed in a plugin that is an operator over deliveries', async () => {
    const operator = defineOpenPlugin({
      name: 'operator',
      version: '1.0.0',
      summary: 'Fails.',
      reads: messages<{ status: string }>(),
      deliveries: () => (source) =>
        source.pipe(
          tap((delivery) => delivery.fail(new Error('broken'))),
          ignoreElements(),
        ),
    });
    const run = await runPlugin(operator(), completed);
    assertPluginResult(run, { success: false, terminated: true });
    expect(run.error).toMatchObject({ message: 'broken' });
  });

  it('tells what whatever comes next would see, and what was chosen at error', async () => {
    const two = chain(
      answering(() => act(addHeader('h', 'x'))),
      answering(() => amend({ status: 'failed' })),
    );
    const run = await runPlugin(two, completed);
    expect(run.context).toMatchObject({ headers: { h: 'x' }, message: { status: 'failed', trace_id: 't-1' } });
    const verdict = await runPlugin(
      answering(() => deadLetter('hopeless')),
      xactContext({}, { stage: 'error' }),
    );
    expect(verdict.verdict).toEqual({ kind: 'dead_letter', reason: 'hopeless' });
  });
});

describe('assertPluginResult', () => {
  it.each<[string, Parameters<typeof assertPluginResult>]>([
    ['nothing at all', [undefined]],
    ['a skip', [skip('why')]],
    ['an act', [act(publish('a', 1), publish('b', 2)), { actions: 2 }]],
    ['a filter', [filter('no'), { terminated: true }]],
    ['a failure', [fail('no'), { success: false }]],
    ['the result of a class', [PluginResult.publish('a', 1), { actions: ['publish_to_topic'] }]],
    ['a class that filters', [PluginResult.filterOut('no'), { terminated: true }]],
    ['a class that failed', [PluginResult.failure('no'), { success: false }]],
  ])('passes %s', (_, parameters) => {
    assertPluginResult(...parameters);
  });

  it.each<[Parameters<typeof assertPluginResult>, RegExp]>([
    [[fail('no')], /it failed: no/],
    [[skip('no'), { success: false }], /it did not fail/],
    [[act(publish('a', 1))], /it asked for 1, expected 0/],
    [[act(publish('a', 1)), { actions: ['log'] }], /it asked for publish_to_topic, expected log/],
    [[undefined, { actions: ['log'] }], /it asked for nothing, expected log/],
    [[filter('test event')], /the delivery ends here \(test event\)/],
    [[skip('no'), { terminated: true }], /the delivery goes on/],
  ])('fails otherwise, and says how', (parameters, message) => {
    expect(() => assertPluginResult(...parameters)).toThrow(message);
  });
});
