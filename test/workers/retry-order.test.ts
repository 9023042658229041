import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { perMessage } from '../../operators/index.js';
import { PenstockError } from '../../src/diagnostics/index.js';
import { XACT_EVENTS } from '../../src/domains/xact/tables.js';
import { topicName } from '../../src/domains/xact/topics.js';
import { xactActions } from '../../src/domains/xact/workers/xact-actions.js';
import { xactDownload } from '../../src/domains/xact/workers/xact-download.js';
import { INGESTED_MARKS } from '../../src/domains/xact/workers/xact-event-ingester.js';
import type { DownloadRequest } from '../../src/http/downloader.js';
import type { Context } from '../../src/plugin/index.js';
import type { Passed } from '../../src/plugin/passed.js';
import { textHeaders } from '../../src/runtime/item.js';
import type { OutboxRecord } from '../../src/runtime/plugin-actions.js';
import { replayRecord, readDeadLetter } from '../../src/runtime/dead-letter.js';
import { RetryOrder, type RetryOrderOptions } from '../../src/runtime/retry-order.js';
import { tableWriter } from '../../src/runtime/table-writer.js';
import { openTable, parquetEncoder } from '../../src/storage/delta/index.js';
import { until } from '../transport/collector.js';
import { deltaEvents, ingester, retrier, writesFiles } from './builders.js';
import { downloadTask, rawEvent } from './messages.js';
import { DELAYS, type Started, type WorkerBench, workerBench } from './worker-bench.js';

const STORE = 'xact-download.parked';

function ordered(bench: WorkerBench, options: Partial<RetryOrderOptions> = {}): RetryOrder {
  const marks = bench.transport.marks(STORE, { capacity: 1000 });
  return new RetryOrder({ group: 'xact-download', marks, store: STORE, waitMs: 10, ...options });
}

/** Downloads in the order given; `fails` says of which attempts nothing comes. */
function downloads(bench: WorkerBench, fails: (name: string, attempt: number) => boolean, options: Partial<RetryOrderOptions> = {}) {
  const done: string[] = [];
  const asked: string[] = [];
  const write = writesFiles(bench);
  const start = (): Started =>
    bench.start('xact-download', (shared) =>
      xactDownload({
        ...shared,
        retryOrder: ordered(bench, options),
        download: async (request: DownloadRequest, signal) => {
          const name = new URL(request.url).pathname.slice(1);
          asked.push(name);
          if (fails(name, request.attempt)) throw new PenstockError('PS4101', 'not yet', { category: 'transient' });
          const file = await write(request, signal);
          done.push(name);
          return file;
        },
      }),
    );
  return { done, asked, start };
}

/** Tasks of one file, told apart by where they fetch it. */
const task = (name: string, media = 'm') => downloadTask(media, { attachment_url: `https://files.example.com/${name}` });

describe('the order of a key across retries', () => {
  it('L3: later messages of the key wait until the retried one has left for good, those of other keys do not', async () => {
    const bench = await workerBench();
    const { done, asked, start } = downloads(bench, (name, attempt) => name === 'first' && attempt < 2);
    const worker = start();
    retrier(bench);
    await bench.send('xact.downloads_pending', task('first'), task('second'), task('third'), task('other', 'n'));
    await until('all to be done', () => done.length === 4);
    await bench.idle();
    expect(done).toEqual(['other', 'first', 'second', 'third']);
    // What waited was not tried meanwhile, and its retries are not counted.
    expect(asked.filter((name) => name === 'second')).toEqual(['second']);
    const cached = await bench.read<{ attachment_url: string; metadata: { retry_count: number } }>('xact.downloads_cached');
    expect(cached.map(({ message }) => [message.attachment_url.split('/').at(-1), message.metadata.retry_count])).toEqual([
      ['other', 0],
      ['first', 2],
      ['second', 0],
      ['third', 0],
    ]);
    expect(worker.doors().delivered).toBe(4);
    expect(bench.transport.marks(STORE, { capacity: 1000 }).stats().size).toBe(0);
  });

  it('L3: without it they overtake', async () => {
    const bench = await workerBench();
    const done: string[] = [];
    const write = writesFiles(bench);
    bench.start('xact-download', (shared) =>
      xactDownload({
        ...shared,
        download: async (request, signal) => {
          const name = new URL(request.url).pathname.slice(1);
          if (name === 'first' && request.attempt === 0) throw new PenstockError('PS4101', 'not yet', { category: 'transient' });
          done.push(name);
          return write(request, signal);
        },
      }),
    );
    retrier(bench);
    await bench.send('xact.downloads_pending', task('first'), task('second'));
    await until('all to be done', () => done.length === 2);
    expect(done).toEqual(['second', 'first']);
  });

  it('what waits in place long enough goes to the same retry topic, and says that this was no attempt', async () => {
    const bench = await workerBench();
    const { start } = downloads(bench, () => true, { waitMs: 5 });
    start();
    await bench.send('xact.downloads_pending', task('first'), task('second'));
    const topic = `${topicName('xact.downloads_pending')}.retry.${DELAYS[0]}ms`;
    await until('both to be there', async () => (await bench.records(topic)).length === 2);
    const [first, second] = (await bench.records(topic)).map(textHeaders);
    expect(first).toMatchObject({ retry_count: '1', order_key: 'm', order_turn: '0.0.1' });
    expect(first).not.toHaveProperty('order_spilled');
    expect(second).toMatchObject({
      retry_count: '0',
      order_key: 'm',
      order_turn: '0.0.2',
      order_spilled: 'true',
      consumer_group: 'xact-download',
    });
    expect(Date.parse(second!['scheduled_retry_time']!)).toBeGreaterThanOrEqual(Date.parse(first!['scheduled_retry_time']!));
  });

  it('no more of a key wait in place than are allowed', async () => {
    const bench = await workerBench();
    const { start } = downloads(bench, () => true, { waitMs: 60_000, maxWaiting: 2 });
    const worker = start();
    await bench.send('xact.downloads_pending', ...['first', 'second', 'third', 'fourth', 'fifth'].map((name) => task(name)));
    await until('the others to have gone', () => worker.settled.length === 3);
    expect(worker.consumer.state().inFlight).toBe(2);
    expect(worker.doors()).toEqual({ retried: 3 });
  });

  it('L8: those that wait are given back on drain, and come again', async () => {
    const bench = await workerBench();
    const { done, start } = downloads(bench, (name, attempt) => name === 'first' && attempt === 0, { waitMs: 60_000 });
    const worker = start();
    await bench.send('xact.downloads_pending', task('first'), task('second'));
    await until('the first to be retried', () => worker.settled.length === 1);
    await worker.drain();
    expect(worker.doors()).toEqual({ retried: 1, released: 1 });
    start();
    retrier(bench);
    await until('all to be done', () => done.length === 2);
    expect(done).toEqual(['first', 'second']);
  });

  it('one that never comes back is waited for until the time is up', async () => {
    const bench = await workerBench();
    const { done, start } = downloads(bench, (name) => name === 'first', { waitMs: 60_000, giveUpMs: 40 });
    start();
    await bench.send('xact.downloads_pending', task('first'), task('second'));
    // Nobody brings retries back here.
    await until('the second to be done', () => done.length === 1);
    expect(done).toEqual(['second']);
  });

  it('L7: a retried one that is given up for good lets the others go on; its replay comes behind them', async () => {
    const bench = await workerBench();
    let broken = true;
    const { done, start } = downloads(bench, (name) => broken && name === 'first');
    start();
    retrier(bench);
    await bench.send('xact.downloads_pending', task('first'), task('second'), task('third'));
    await until('the others to be done', () => done.length === 2);
    expect(done).toEqual(['second', 'third']);
    broken = false;
    const [record] = await bench.records(topicName('xact.dlq'));
    await bench.transport.produce([replayRecord(readDeadLetter(record!))]);
    await until('the replay', () => done.length === 3);
    expect(done).toEqual(['second', 'third', 'first']);
  });

  it('A22: a duplicate that had to wait is still a duplicate when it comes back', async () => {
    const bench = await workerBench();
    const marks = bench.transport.marks('xact-event-ingester.parked', { capacity: 1000 });
    const seen = bench.transport.marks(INGESTED_MARKS, { capacity: 1000 });
    let fails = 1;
    const worker = ingester(bench, {
      retryOrder: new RetryOrder({ group: 'xact-event-ingester', marks, store: 'xact-event-ingester.parked', waitMs: 1 }),
      seen: {
        ...seen,
        get: () => undefined,
        stats: () => seen.stats(),
        has: (key, now) => {
          fails -= 1;
          if (fails === 0) throw new PenstockError('PS3001', 'not now', { category: 'transient' });
          return seen.has(key, now);
        },
      },
    });
    retrier(bench);
    await bench.send('xact.events', { ...rawEvent('t'), trace_id: 't' }, { ...rawEvent('t'), trace_id: 't' });
    await until('both to have left for good', () => (worker.doors().delivered ?? 0) + (worker.doors().filtered ?? 0) === 2);
    expect(worker.doors()).toMatchObject({ delivered: 1, filtered: 1 });
    expect(await bench.read('xact.downloads_pending')).toHaveLength(1);
  });

  it('L3, L6: the table keeps the event that came first, though it was retried, and nothing is remembered of it', async () => {
    const bench = await workerBench();
    const encoder = parquetEncoder();
    const table = await openTable({ directory: join(bench.directory, XACT_EVENTS.name), schema: XACT_EVENTS, encoder });
    const store = 'xact-delta-events.parked';
    const marks = bench.transport.marks(store, { capacity: 1000 });
    let fails = 1;
    const worker = deltaEvents(
      bench,
      tableWriter({ tables: { [XACT_EVENTS.name]: table }, appId: (topic, partition) => `test/${topic}/${partition}`, flushMs: 5 }),
      {
        retryOrder: new RetryOrder({ group: 'xact-delta-events', marks, store }),
        chains: {
          delta_write: perMessage<Context, Passed>(() => (context, delivery) => {
            fails -= 1;
            if (fails === 0) throw new PenstockError('PS4101', 'not yet', { category: 'transient' });
            return delivery.with<Passed>({ context, actions: [], filtered: undefined, verdict: undefined });
          }),
        },
      },
    );
    retrier(bench);
    await bench.send('xact.events', rawEvent('t', { description: 'first' }), rawEvent('t', { description: 'again' }), rawEvent('u'));
    await until('all to be written', () => worker.doors().delivered === 3);
    expect(worker.doors().retried).toBeGreaterThanOrEqual(2);
    const rows: unknown[] = [];
    for await (const row of table.rows()) rows.push([row['trace_id'], row['description']]);
    expect(rows.toSorted()).toEqual([
      ['t', 'first'],
      ['u', null],
    ]);
    expect(marks.stats().size).toBe(0);
    await table.close();
    await encoder.close();
  });

  it('an action that has to wait on the retry topic keeps the trace id of its event', async () => {
    const bench = await workerBench();
    const store = 'xact-actions.parked';
    const marks = bench.transport.marks(store, { capacity: 1000 });
    const fails = () => Promise.reject(new PenstockError('PS4002', 'answered 503', { category: 'transient', httpStatus: 503 }));
    const worker = bench.start('xact-actions', (shared) =>
      xactActions({
        ...shared,
        retryOrder: new RetryOrder({ group: 'xact-actions', marks, store, waitMs: 1 }),
        performers: { webhook: fails, email: fails, publish: fails },
      }),
    );
    const action = (id: string): OutboxRecord => ({
      id,
      plugin: 'notifier',
      action: { type: 'http_webhook', params: { url: 'https://hooks.example.com/' } },
      context: {
        domain: 'xact',
        stage: 'result_process',
        event_id: 'v',
        event_type: null,
        project_id: null,
        retry_count: 0,
        timestamp: '2031-03-04T05:06:07.000Z',
      },
    });
    await bench.transport.produce(
      ['first', 'second'].map((id) => ({ topic: topicName('xact.actions_outbox'), key: 'v', value: JSON.stringify(action(id)) })),
    );
    await until('both to be retried', () => worker.doors().retried === 2);
    const headers = (await bench.records(`${topicName('xact.actions_outbox')}.retry.${DELAYS[0]}ms`)).map(textHeaders);
    expect(headers).toMatchObject([
      { trace_id: 'v', order_key: 'notifier v', order_turn: '0.0.1' },
      { trace_id: 'v', order_key: 'notifier v', order_turn: '0.0.2', order_spilled: 'true' },
    ]);
  });
});
