import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import {
  allTopics,
  consumedTopics,
  CONSUMED,
  ofRetryTopic,
  retryTopics,
  topicName,
  WORKERS,
  type XactWorker,
} from '../../src/domains/xact/topics.js';
import { xactActions } from '../../src/domains/xact/workers/xact-actions.js';
import { sealing } from '../../src/runtime/sealing.js';
import { readDeadLetter, replayRecord } from '../../src/runtime/dead-letter.js';
import { retryHeaders } from '../../src/runtime/retry-policy.js';
import { until } from '../transport/collector.js';
import { deltaEvents, downloader, ingester, retrier, rowLists, writesFiles } from './builders.js';
import { downloadTask, rawEvent, TYPE } from './messages.js';
import { DELAYS, workerBench } from './worker-bench.js';

const TIER = `xact.downloads.pending.retry.${DELAYS[0]}ms`;

function scheme(fields: Partial<Parameters<typeof retryHeaders>[0]> = {}): Record<string, string> {
  return {
    ...retryHeaders({
      traceId: 'trace-m1',
      retryCount: 1,
      dueAt: Date.now() - 1,
      delayMs: DELAYS[0],
      targetTopic: 'xact.downloads_pending',
      workerType: 'xact-download',
      originalKey: 'trace-m1',
      category: 'transient',
      domain: 'xact',
      group: 'xact-download',
      ...fields,
    }),
    event_type: TYPE,
  };
}

describe('xact-retry', () => {
  it('delivers what is due to the topic it came from, under its key, headers and bytes as they were', async () => {
    const bench = await workerBench();
    const worker = retrier(bench);
    const value = JSON.stringify(downloadTask('m1', { retry_count: 1 }));
    const headers = { ...scheme(), own: 'kept' };
    await bench.transport.produce([{ topic: TIER, key: 'other', value, headers }]);
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
    const [record] = await bench.records('xact.downloads.pending');
    expect(record!.value!.toString()).toBe(value);
    expect(record!.key!.toString()).toBe('trace-m1');
    expect(Object.fromEntries(record!.headers.map(([name, bytes]) => [name, bytes.toString()]))).toEqual({
      trace_id: 'trace-m1',
      event_type: TYPE,
      own: 'kept',
      redelivered_from: 'xact.retry',
      retry_count: '1',
      worker_type: 'xact-download',
      error_category: 'transient',
      domain: 'xact',
      consumer_group: 'xact-download',
    });
  });

  it('a record from before the clock was set back waits for its delay, not for its time', async () => {
    const bench = await workerBench();
    const worker = retrier(bench);
    const timestamp = Date.now() + 3_600_000;
    await bench.transport.produce([
      { topic: TIER, key: 'k', value: '{}', headers: scheme({ dueAt: timestamp + 60, originalKey: 'k' }), timestamp },
    ]);
    await expect.poll(() => worker.doors()).toEqual({ delivered: 1 });
  });

  it('C4: holds what is not due, without failing it, and lets what is due earlier pass', async () => {
    const bench = await workerBench();
    const worker = retrier(bench);
    const dueAt = Date.now() + 100;
    const late = { topic: TIER, key: 'late', value: '{}', headers: scheme({ dueAt, originalKey: 'late' }) };
    await bench.transport.produce([late, { topic: TIER, key: 'now', value: '{}', headers: scheme({ originalKey: 'now' }) }]);
    await until('the first', () => worker.settled.length > 0);
    expect((await bench.records('xact.downloads.pending')).map(({ key }) => key!.toString())).toEqual(['now']);
    expect(await bench.transport.committed('xact-retry', TIER)).not.toMatchObject([{ offset: 2 }]);
    await bench.idle();
    expect(Date.now()).toBeGreaterThanOrEqual(dueAt);
    expect(worker.doors()).toEqual({ delivered: 2 });
    expect(worker.decisions).toEqual([]);
  });

  it('C2: what is long overdue is due now', async () => {
    const bench = await workerBench();
    const worker = retrier(bench);
    await bench.transport.produce([{ topic: TIER, key: 'k', value: '{}', headers: scheme({ dueAt: Date.now() - 86_400_000 }) }]);
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
  });

  it('C2, B8: what it holds when it drains is given back and comes to the next', async () => {
    const bench = await workerBench();
    const first = retrier(bench);
    await bench.transport.produce([{ topic: TIER, key: 'k', value: '{}', headers: scheme({ dueAt: Date.now() + 3_600_000 }) }]);
    await expect.poll(() => first.consumer.state().inFlight).toBe(1);
    await first.drain();
    expect(first.settled).toMatchObject([{ outcome: 'released', reason: 'held until it is due' }]);
    expect(await bench.transport.backlog('xact-retry', [TIER])).toBe(1);
    const second = retrier(bench);
    await expect.poll(() => second.consumer.state().inFlight).toBe(1);
  });

  it.each([
    ['missing_headers', (headers: Record<string, string>) => void delete headers['target_topic']],
    ['unknown_target', (headers: Record<string, string>) => void (headers['target_topic'] = 'somebody.elses')],
    ['invalid_time', (headers: Record<string, string>) => void (headers['scheduled_retry_time'] = 'soon')],
    ['invalid_retry_count', (headers: Record<string, string>) => void (headers['retry_count'] = 'many')],
    ['max_retries_exceeded', (headers: Record<string, string>) => void (headers['retry_count'] = '3')],
  ])('F17: one with %s is dead-lettered at once, with its bytes', async (reason, spoil) => {
    const bench = await workerBench();
    const worker = retrier(bench);
    const headers = scheme({ dueAt: Date.now() + 3_600_000 });
    spoil(headers);
    await bench.transport.produce([{ topic: TIER, key: 'k', value: '{"n":1}', headers }]);
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    const [letter] = await bench.deadLetters();
    expect(letter).toMatchObject({ reason, worker: 'xact-retry', original_topic: TIER });
    expect(Buffer.from(letter!.original_value!, 'base64').toString()).toBe('{"n":1}');
  });

  it('lets others of the topic pass: only the group that asked sees a record again', async () => {
    const bench = await workerBench();
    const rows = rowLists();
    const made = ingester(bench);
    const written = deltaEvents(bench, rows);
    const headers = { redelivered_from: 'xact.retry', consumer_group: 'xact-delta-events', retry_count: '1' };
    await bench.sendWith('xact.events', headers, rawEvent('t1'));
    await bench.idle();
    expect(made.settled).toMatchObject([{ outcome: 'filtered', reason: 'redelivered for another group' }]);
    expect(written.doors()).toEqual({ delivered: 1 });
  });

  it('C3, C5: every retry topic has one owner, every topic that is written has a reader', () => {
    const names = Object.keys(WORKERS) as XactWorker[];
    const readers = (topic: string): readonly XactWorker[] => names.filter((name) => consumedTopics(name, DELAYS).includes(topic));
    for (const topic of retryTopics(DELAYS)) expect(readers(topic), topic).toEqual(['xact-retry']);
    for (const topic of allTopics(DELAYS).filter((name) => name !== topicName('xact.dlq')))
      expect(readers(topic).length, topic).toBeGreaterThan(0);
    for (const topic of retryTopics(DELAYS)) expect(CONSUMED.map(topicName)).toContain(ofRetryTopic(topic)?.topic);
  });
});

describe('replay', () => {
  it('C15: takes one of several attachments of an event up again, by the address of its letter, and passes the mark', async () => {
    const bench = await workerBench();
    let failing = true;
    const worker = downloader(bench, (request, signal) =>
      failing
        ? Promise.reject(new PenstockError('PS4104', 'gone', { category: 'permanent', httpStatus: 404 }))
        : writesFiles(bench)(request, signal),
    );
    await bench.sendWith(
      'xact.downloads_pending',
      { event_type: TYPE },
      downloadTask('m1', { trace_id: 't1' }),
      downloadTask('m2', { trace_id: 't1' }),
    );
    await bench.idle();
    failing = false;
    const letters = (await bench.records('xact.dlq')).map(readDeadLetter);
    const second = letters.find(({ letter }) => letter['media_id'] === 'm2')!;
    await bench.transport.produce([replayRecord(second)]);
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 2, delivered: 1 });
    const [cached] = await bench.read<{ media_id: string; metadata: object }>('xact.downloads_cached');
    expect(cached?.message).toMatchObject({
      media_id: 'm2',
      metadata: { replayed_from_dlq: true, dlq_offset: second.offset, retry_count: 0 },
    });
    expect(cached?.headers['event_type']).toBe(TYPE);
  });

  it('a replayed event passes the memory of duplicates, and only in the group that gave it up', async () => {
    const bench = await workerBench();
    const rows = rowLists();
    const worker = ingester(bench);
    const delta = deltaEvents(bench, rows);
    await bench.send('xact.events', rawEvent('t1', { attachments: ['http://files.example.com/a.pdf'] }));
    await bench.idle();
    const [letter] = (await bench.records('xact.dlq')).map(readDeadLetter);
    await bench.transport.produce([replayRecord(letter!)]);
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 2 });
    expect(delta.doors()).toEqual({ delivered: 1, filtered: 1 });
  });
});

describe('xact-actions', () => {
  const outboxEntry = (id: string): object => ({
    id,
    plugin: 'hook',
    action: { type: 'http_webhook', params: { url: 'https://hooks.example.com/x', body: { n: 1 } } },
    context: {
      domain: 'xact',
      stage: 'event_ingest',
      worker: 'xact-event-ingester',
      event_id: 't1',
      event_type: TYPE,
      project_id: null,
      retry_count: 0,
      timestamp: '2031-03-04T05:06:07.000Z',
    },
  });

  it('F3, F4: performs webhooks with their id, retries those that fail with jitter, and dead-letters them as actions', async () => {
    const bench = await workerBench();
    const called: (readonly [id: string, event: string])[] = [];
    const unused = () => Promise.reject(new Error('not asked'));
    const worker = bench.start('xact-actions', (shared) =>
      xactActions({
        ...shared,
        performers: {
          webhook: (_action, planned, context) => {
            called.push([planned.id, context.event_id]);
            if (planned.id === 'bad')
              return Promise.reject(new PenstockError('PS4002', 'answered 503', { category: 'transient', httpStatus: 503 }));
            if (planned.id === 'refused')
              return Promise.reject(new PenstockError('PS4002', 'answered 400', { category: 'permanent', httpStatus: 400 }));
            return Promise.resolve();
          },
          email: unused,
          publish: unused,
        },
      }),
    );
    retrier(bench);
    await bench.send('xact.actions_outbox', outboxEntry('good'), outboxEntry('bad'), outboxEntry('refused'), '{"id":1}');
    await expect.poll(() => worker.doors()).toEqual({ delivered: 1, retried: 2, dead_lettered: 3 });
    expect(called.filter(([id]) => id === 'bad')).toHaveLength(3);
    expect(called.filter(([id]) => id === 'refused')).toHaveLength(1);
    expect(called.every(([, event]) => event === 't1')).toBe(true);
    const letters = await bench.deadLetters();
    expect(letters.map(({ worker, reason }) => [worker, reason]).toSorted()).toEqual([
      ['xact-actions', 'max_retries_exceeded'],
      ['xact-actions', 'permanent'],
      ['xact-actions', 'unreadable'],
    ]);
    const waits = worker.decisions.flatMap(({ decision }) => (decision.action === 'retry' ? [decision.waitMs / decision.delayMs] : []));
    for (const share of waits) expect(share).toBeLessThanOrEqual(1.11);
    const given = letters.find(({ reason }) => reason === 'max_retries_exceeded')!;
    expect(given).toMatchObject({ trace_id: 't1', action_id: 'bad', plugin: 'hook', action: 'http_webhook' });
    expect(given.original_task).toMatchObject({ id: 'bad', plugin: 'hook' });
  });

  it('G6: gets the values of the variables that were left out when it was stored', async () => {
    const bench = await workerBench();
    const called: unknown[] = [];
    const unused = () => Promise.reject(new Error('not asked'));
    const webhook = (action: { readonly params: unknown }): void => void called.push(action.params);
    const worker = bench.start('xact-actions', (shared) =>
      xactActions({ ...shared, performers: { webhook, email: unused, publish: unused, sealing: sealing({ TOKEN: 'the-token' }) } }),
    );
    const entry = { ...outboxEntry('one'), sealed: ['TOKEN'] } as { action?: object };
    entry.action = { type: 'http_webhook', params: { url: 'https://hooks.example.com/', headers: { Authorization: 'Bearer ${TOKEN}' } } };
    await bench.send('xact.actions_outbox', entry);
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
    expect(called).toEqual([{ url: 'https://hooks.example.com/', headers: { Authorization: 'Bearer the-token' } }]);
  });

  it('replayed, an action is performed again under its own id', async () => {
    const bench = await workerBench();
    let broken = true;
    const called: string[] = [];
    const unused = () => Promise.reject(new Error('not asked'));
    const worker = bench.start('xact-actions', (shared) =>
      xactActions({
        ...shared,
        performers: {
          webhook: (_action, planned) => {
            called.push(planned.id);
            if (broken) return Promise.reject(new PenstockError('PS4002', 'answered 400', { category: 'permanent' }));
            return Promise.resolve();
          },
          email: unused,
          publish: unused,
        },
      }),
    );
    await bench.send('xact.actions_outbox', outboxEntry('one'));
    await bench.idle();
    broken = false;
    await bench.transport.produce((await bench.records('xact.dlq')).map((record) => replayRecord(readDeadLetter(record))));
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1, delivered: 1 });
    expect(called).toEqual(['one', 'one']);
  });
});
