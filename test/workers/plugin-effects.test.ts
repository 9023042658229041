import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { act, addHeader, amend, deadLetter, publish, retry, webhook } from '../../src/plugin/index.js';
import { answering } from './answering.js';
import { deltaEvents, downloader, ingester, resultProcessor, retrier, rowLists, uploader, writesFiles } from './builders.js';
import { downloadResult, downloadTask, rawEvent, TYPE } from './messages.js';
import { DELAYS, workerBench } from './worker-bench.js';

const transient = () => Promise.reject(new PenstockError('PS4104', 'busy', { category: 'transient', httpStatus: 503 }));

describe('what a plugin changes', () => {
  it('L10: cannot be the message itself: who writes into it fails, and it goes on as it was', async () => {
    const vandal = answering('vandal', ['event_ingest', 'enrichment_complete', 'delta_write', 'result_process'], (context) => {
      const { message, data, headers } = context as unknown as Record<string, Record<string, unknown>>;
      if (Object.keys(headers!).length > 0) expect(() => (headers!['trace_id'] = 'other')).toThrow(TypeError);
      expect(() => (data!['trace_id'] = 'other')).toThrow(TypeError);
      const inner = (message!['data'] ?? message!['attachments'] ?? message) as Record<string, unknown>;
      expect(() => delete inner[Object.keys(inner)[0]!]).toThrow(TypeError);
      message!['trace_id'] = 'other';
    });
    const bench = await workerBench({ plugins: [vandal.entry] });
    const rows = rowLists();
    ingester(bench);
    deltaEvents(bench, rows);
    resultProcessor(bench, rows);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.send('xact.downloads_results', downloadResult('m2'));
    await bench.idle();
    expect(vandal.seen).toHaveLength(4);
    expect(bench.counts()['vandal']).toMatchObject({ fail: 4 });
    expect(bench.lines[0]?.message).toMatch(/read only|not extensible|trace_id/);
    expect(rows.of['xact_events']).toMatchObject([{ trace_id: 't1' }]);
    expect(rows.of['xact_attachments']).toMatchObject([{ media_id: 'm2' }]);
    expect((await bench.read<{ trace_id: string }>('xact.downloads_pending')).map(({ message }) => message.trace_id)).toEqual(['t1']);
  });

  it('goes on amended from each stage', async () => {
    const bench = await workerBench({
      plugins: [
        answering('event', ['event_ingest'], () => amend({ data: { assignmentId: 'changed', attachments: [] } })).entry,
        answering('row', ['delta_write'], () => amend({ type: 'a.b.changed' })).entry,
        answering('task', ['download_queued'], () => amend({ blob_path: 'changed/path.pdf' })).entry,
        answering('cached', ['download_complete'], () => amend({ content_type: 'text/changed' })).entry,
        answering('result', ['upload_complete'], () => amend({ error_message: 'changed' })).entry,
        answering('written', ['result_process'], () => amend({ assignment_id: 'changed' })).entry,
      ],
    });
    const rows = rowLists();
    ingester(bench);
    deltaEvents(bench, rows);
    downloader(bench, writesFiles(bench));
    resultProcessor(bench, rows);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.send('xact.downloads_results', downloadResult('m2'));
    await bench.idle();
    const [cached] = await bench.read<Record<string, unknown>>('xact.downloads_cached');
    expect(cached?.message).toMatchObject({ destination_path: 'changed/path.pdf', content_type: 'text/changed' });
    expect(rows.of['xact_events']).toMatchObject([{ type: 'a.b.changed', status_subtype: 'changed' }]);
    expect(rows.of['xact_attachments']).toMatchObject([{ media_id: 'm2', assignment_id: 'changed' }]);
    uploader(bench);
    await bench.idle();
    const results = await bench.read<Record<string, unknown>>('xact.downloads_results');
    expect(results.at(-1)?.message).toMatchObject({ error_message: 'changed', status: 'completed' });
  });

  it('is checked against the schema of the stage: what does not fit is the failure of the plugin, and the message goes on as it was', async () => {
    const bad = answering('bad', ['result_process'], () => amend({ status: 'almost' }));
    const bench = await workerBench({ plugins: [bad.entry] });
    const rows = rowLists();
    const worker = resultProcessor(bench, rows);
    await bench.send('xact.downloads_results', downloadResult('m1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
    expect(rows.of['xact_attachments']).toHaveLength(1);
    expect(bench.counts()['bad']).toMatchObject({ fail: 1, amend: 0 });
    expect(bench.lines[0]?.message).toMatch(/refused: status/);
  });

  it('and dead-lettered, when its entry says on_error: dlq', async () => {
    const bad = answering('bad', ['enrichment_complete'], () => amend({ attachments: 'none' }), { on_error: 'dlq' });
    const bench = await workerBench({ plugins: [bad.entry] });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    expect(await bench.deadLetters()).toMatchObject([{ reason: 'permanent', error_code: 'PS4001', trace_id: 't1' }]);
    expect(await bench.read('xact.downloads_pending')).toEqual([]);
  });
});

describe('what a plugin asks for', () => {
  it('F1, F2: a publish goes to the topic that it names, before its delivery is settled', async () => {
    const alert = answering('alert', ['event_ingest'], ({ event_id }) => act(publish('team.alerts', { of: event_id })));
    const bench = await workerBench({ plugins: [alert.entry] });
    const settledBefore: number[] = [];
    const worker = ingester(bench);
    const produce = bench.transport.produce.bind(bench.transport);
    bench.transport.produce = async (records) => {
      if (records[0]?.topic === 'team.alerts') settledBefore.push(worker.settled.length);
      return produce(records);
    };
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    expect(settledBefore).toEqual([0]);
    const [record] = await bench.records('team.alerts');
    expect(JSON.parse(record!.value!.toString())).toEqual({ of: 't1' });
    expect(record!.key?.toString()).toBe('t1');
    expect((await bench.read('xact.downloads_pending')).map(({ message }) => message['trace_id'])).toEqual(['t1']);
  });

  it('carries its id, what it names and what plugins added, never the record’s own headers', async () => {
    const bench = await workerBench({
      plugins: [
        { ...answering('adds', ['event_ingest'], () => act(addHeader('team', 'claims'))).entry, priority: 1 },
        answering('alert', ['event_ingest'], () => act(publish('team.alerts', {}, { headers: { kind: 'new' } }))).entry,
      ],
    });
    ingester(bench);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await bench.sendWith('xact.events', { secret: 'own', traceparent }, rawEvent('t1'), rawEvent('t2'));
    await bench.idle();
    const [record] = await bench.records('team.alerts');
    const headers = Object.fromEntries(record!.headers.map(([name, value]) => [name, value.toString()]));
    const id = expect.stringMatching(/^[\w-]{16,}$/) as string;
    expect(headers).toEqual({ team: 'claims', kind: 'new', traceparent, 'idempotency-key': id });
  });

  it('the trace that an event belongs to goes on with its task, file and result, through a retry', async () => {
    const bench = await workerBench();
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'vendor=1' };
    let failing = true;
    ingester(bench);
    downloader(bench, (request, signal) => {
      if (!failing) return writesFiles(bench)(request, signal);
      failing = false;
      return transient();
    });
    uploader(bench);
    retrier(bench);
    await bench.sendWith('xact.events', { ...trace, other: 'stays' }, rawEvent('t1'));
    await expect.poll(async () => (await bench.read('xact.downloads_results')).length).toBe(2);
    for (const topic of ['xact.downloads_pending', 'xact.downloads_cached', 'xact.downloads_results'] as const) {
      for (const { headers } of await bench.read(topic)) {
        expect(headers, topic).toMatchObject(trace);
        expect(headers, topic).not.toHaveProperty('other');
      }
    }
  });

  it('F4: a webhook goes to the outbox, with names and no secrets, and blocks nothing', async () => {
    const hook = answering('hook', ['event_ingest'], () => act(webhook({ connection: 'crm', path: '/claims' }, { body: { n: 1 } })));
    const bench = await workerBench({ plugins: [hook.entry] });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
    const [entry] = await bench.read('xact.actions_outbox');
    expect(entry?.message).toMatchObject({
      plugin: 'hook',
      action: { type: 'http_webhook', params: { connection: 'crm', path: '/claims', body: { n: 1 }, method: 'POST' } },
      context: { domain: 'xact', stage: 'event_ingest', worker: 'xact-event-ingester', event_id: 't1', event_type: TYPE },
    });
  });

  it('F13: one that cannot be written is dead-lettered as an action, durably, and its delivery goes on', async () => {
    const alert = answering('alert', ['event_ingest'], () => act(publish('broken.topic', { n: 1 })));
    const bench = await workerBench({ plugins: [alert.entry] });
    refusing(bench.transport, 'broken.topic');
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
    const [letter] = await bench.deadLetters();
    expect(letter).toMatchObject({
      reason: 'action_failed',
      trace_id: 't1',
      plugin: 'alert',
      action: 'publish_to_topic',
      original_topic: 'xact.actions.outbox',
    });
    const again = JSON.parse(Buffer.from(letter!.original_value!, 'base64').toString()) as Record<string, unknown>;
    expect(again).toMatchObject({ action: { type: 'publish_to_topic', params: { topic: 'broken.topic', payload: { n: 1 } } } });
    expect(bench.actions.map(([planned, result]) => [planned.action.type, result])).toEqual([['publish_to_topic', 'dead_lettered']]);
  });

  it('with required, its delivery goes to retry instead; what was done before is not done again', async () => {
    const first = answering('first', ['event_ingest'], () => act(publish('team.first', {})), { priority: 1 });
    const second = answering('second', ['event_ingest'], () => act(publish('broken.topic', {})), { required: true });
    const bench = await workerBench({ plugins: [first.entry, second.entry] });
    const mend = refusing(bench.transport, 'broken.topic');
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ retried: 1 });
    mend();
    retrier(bench);
    await bench.idle();
    await bench.idle();
    expect(worker.doors()).toEqual({ retried: 1, delivered: 1 });
    expect(await bench.records('team.first')).toHaveLength(1);
    expect(await bench.records('broken.topic')).toHaveLength(1);
    expect(await bench.read('xact.downloads_pending')).toHaveLength(1);
  });

  it('keeps its id from delivery to delivery of one message, so that whoever receives it can tell', async () => {
    const alert = answering('alert', ['result_process'], () => act(publish('team.alerts', {})));
    const bench = await workerBench({ plugins: [alert.entry] });
    resultProcessor(bench, rowLists());
    await bench.send('xact.downloads_results', downloadResult('m1'), downloadResult('m1'), downloadResult('m2', { trace_id: 'trace-m1' }));
    await bench.idle();
    const ids = (await bench.records('team.alerts')).map(({ headers }) =>
      headers.find(([name]) => name === 'idempotency-key')?.[1].toString(),
    );
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(2);
  });
});

describe('what a plugin at error decides', () => {
  it('retry(afterMs) although the failure is permanent', async () => {
    const mercy = answering('mercy', ['error'], () => retry(25));
    const bench = await workerBench({ plugins: [mercy.entry] });
    const worker = downloader(bench, () => Promise.reject(new PenstockError('PS4104', 'gone', { category: 'permanent', httpStatus: 404 })));
    const before = Date.now();
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ retried: 1 });
    // the shortest delay that is long enough
    const [record] = await bench.records(`xact.downloads.pending.retry.${DELAYS[1]}ms`);
    const headers = Object.fromEntries(record!.headers.map(([name, value]) => [name, value.toString()]));
    expect(headers).toMatchObject({ retry_count: '1', error_category: 'permanent' });
    const due = Date.parse(headers['scheduled_retry_time']!);
    expect(due - before).toBeGreaterThanOrEqual(24);
    expect(due - Date.now()).toBeLessThanOrEqual(25);
  });

  it('no more often than there are delays', async () => {
    const mercy = answering('mercy', ['error'], () => retry(1));
    const bench = await workerBench({ plugins: [mercy.entry] });
    const worker = downloader(bench, () => Promise.reject(new PenstockError('PS4104', 'gone', { category: 'permanent', httpStatus: 404 })));
    retrier(bench);
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.idle();
    await expect.poll(() => worker.doors()).toEqual({ retried: 2, dead_lettered: 1 });
    expect(await bench.deadLetters()).toMatchObject([{ reason: 'max_retries_exceeded', retry_count: 2 }]);
  });

  it('deadLetter(reason) although retries are left; the first plugin that chooses decides', async () => {
    const strict = answering('strict', ['error'], () => deadLetter('tenant suspended'), { priority: 1 });
    const mercy = answering('mercy', ['error'], () => retry(1));
    const bench = await workerBench({ plugins: [strict.entry, mercy.entry] });
    const worker = downloader(bench, transient);
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.idle();
    expect(worker.settled).toMatchObject([{ outcome: 'dead_lettered', reason: 'tenant suspended' }]);
    expect(await bench.deadLetters()).toMatchObject([{ reason: 'tenant suspended', error_category: 'transient', http_status: 503 }]);
    const [result] = await bench.read('xact.downloads_results');
    expect(result?.message).toMatchObject({ status: 'failed_permanent', http_status: 503 });
  });

  it('retry and deadLetter are for that stage alone: elsewhere they are ignored with a warning', async () => {
    const lost = answering('lost', ['event_ingest'], () => deadLetter('no'));
    const bench = await workerBench({ plugins: [lost.entry] });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
    expect(bench.lines).toMatchObject([{ level: 'warn', stage: 'event_ingest' }]);
  });
});

describe('what a plugin breaks', () => {
  it('L10: one that throws, and one that hangs, harm only themselves', async () => {
    const after = answering('after', ['event_ingest'], () => undefined, { priority: 300 });
    const bench = await workerBench({
      plugins: [
        answering('throws', ['event_ingest'], () => {
          throw new Error('mine');
        }).entry,
        answering('hangs', ['event_ingest'], () => new Promise(() => undefined), { timeout: 15 }).entry,
        answering('rejects', ['event_ingest'], () => Promise.reject(new Error('also mine'))).entry,
        after.entry,
      ],
    });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t2'));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 2 });
    expect(after.seen).toHaveLength(2);
    expect(bench.counts()).toMatchObject({ throws: { fail: 2 }, hangs: { timeout: 2 }, rejects: { fail: 2 }, after: { pass: 2 } });
  });

  it('on_error: stop gives its delivery back and tells who must stop', async () => {
    const strict = answering(
      'strict',
      ['event_ingest'],
      () => {
        throw new Error('stop all');
      },
      { on_error: 'stop' },
    );
    const bench = await workerBench({ plugins: [strict.entry] });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'));
    await expect.poll(() => bench.stops.length).toBeGreaterThan(0);
    expect(bench.stops[0]?.[0]).toBe('strict');
    expect(worker.settled[0]).toMatchObject({ outcome: 'released' });
    expect(await bench.transport.committed('xact-event-ingester', 'xact.events.raw')).not.toMatchObject([{ offset: 1 }]);
  });
});

/** Lets every write to one topic fail, until the answer is called. */
function refusing(transport: { produce: Awaited<ReturnType<typeof workerBench>>['transport']['produce'] }, topic: string): () => void {
  const produce = transport.produce.bind(transport);
  let broken = true;
  transport.produce = (records) =>
    broken && records.some((record) => record.topic === topic)
      ? Promise.reject(new PenstockError('PS3001', 'not there', { category: 'transient' }))
      : produce(records);
  return () => {
    broken = false;
  };
}
