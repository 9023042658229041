import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import type { DownloadTask } from '../../src/domains/xact/messages.js';
import { topicName } from '../../src/domains/xact/topics.js';
import { answering } from './answering.js';
import { deltaEvents, ingester, retrier, rowLists } from './builders.js';
import { fileUrl, rawEvent, TYPE } from './messages.js';
import { DELAYS, workerBench } from './worker-bench.js';

const BAD: readonly (readonly [what: string, bytes: string | Buffer])[] = [
  ['is no JSON', '{"type":'],
  ['is no object', '[1,2]'],
  ['is null', 'null'],
  ['is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
  ['has no trace id', JSON.stringify({ ...rawEvent('x'), traceId: '  ' })],
  ['has ids that are no text', JSON.stringify({ ...rawEvent('x'), traceId: 7 })],
  ['has an unusable time', JSON.stringify({ ...rawEvent('x'), utcDateTime: 'yesterday' })],
  ['has an assignment that is no text', JSON.stringify(rawEvent('x', { assignmentId: { n: 1 } }))],
];

describe('xact-event-ingester', () => {
  it.each(BAD)('A25, A13: a record that %s is dead-lettered with its bytes, and its neighbours go on', async (_what, bytes) => {
    const bench = await workerBench();
    const worker = ingester(bench);
    await bench.sendWith('xact.events', { source: 'east' }, rawEvent('t1'), bytes, rawEvent('t2'));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 2, dead_lettered: 1 });
    expect((await bench.read('xact.downloads_pending')).map(({ key }) => key)).toEqual(['t1', 't2']);
    const [letter] = await bench.deadLetters();
    expect(Buffer.from(letter!.original_value!, 'base64')).toEqual(Buffer.from(bytes as string));
    expect(letter).toMatchObject({
      domain: 'xact',
      worker: 'xact-event-ingester',
      consumer_group: 'xact-event-ingester',
      error_code: 'PS4101',
      error_category: 'permanent',
      retry_count: 0,
      original_topic: 'xact.events.raw',
      original_partition: 0,
      original_offset: 1,
      original_headers: [{ name: 'source', value: 'east' }],
    });
    expect(letter!.final_error).not.toBe('');
  });

  it('A17: a record without a value is dead-lettered', async () => {
    const bench = await workerBench();
    const worker = ingester(bench);
    await bench.transport.produce([{ topic: topicName('xact.events'), key: 'k', value: null }]);
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    expect(await bench.deadLetters()).toMatchObject([{ reason: 'unreadable', original_value: null }]);
  });

  it('E3: an attachment whose URL is refused is a failed_permanent result and a dead letter; its siblings go on', async () => {
    const bench = await workerBench();
    const worker = ingester(bench);
    const attachments = ['http://files.example.com/plain.pdf', fileUrl('good.pdf'), 'https://127.0.0.1/x.pdf', 'nonsense'];
    await bench.send('xact.events', rawEvent('t1', { attachments }));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
    expect((await bench.read<DownloadTask>('xact.downloads_pending')).map(({ message }) => message.attachment_url)).toEqual([
      fileUrl('good.pdf'),
    ]);
    const results = await bench.read('xact.downloads_results');
    expect(results.map(({ message }) => [message['status'], message['http_status']])).toEqual(Array(3).fill(['failed_permanent', null]));
    expect(results[0]?.headers).toMatchObject({ event_type: TYPE, trace_id: 't1' });
    const letters = await bench.deadLetters();
    expect(letters.map(({ reason, error_code }) => [reason, error_code])).toEqual(Array(3).fill(['url_refused', 'PS4102']));
    expect(letters.map((letter) => letter['attachment_url'])).toEqual([attachments[0], attachments[2], attachments[3]]);
    // a replay takes the whole event up again
    expect(JSON.parse(Buffer.from(letters[0]!.original_value!, 'base64').toString())).toEqual(rawEvent('t1', { attachments }));
  });

  it('E15: a name that ends in a dot is a task all the same', async () => {
    const bench = await workerBench();
    ingester(bench);
    await bench.send('xact.events', rawEvent('t1', { attachments: [fileUrl('name.')] }));
    await bench.idle();
    const [task] = await bench.read<DownloadTask>('xact.downloads_pending');
    expect(task?.message.file_type).toBe('UNKNOWN');
  });

  it('E17, E6: hostile names stay below the base, and two of one name do not meet', async () => {
    const bench = await workerBench();
    ingester(bench);
    const attachments = ['%2e%2e/../../etc/passwd', 'a/b.pdf', 'c/b.pdf', `${'x'.repeat(4096)}.pdf`, '..%2f..%2fx.pdf'].map(fileUrl);
    await bench.send('xact.events', rawEvent('../../../t1', { attachments, assignmentId: '..\\A/1' }));
    await bench.idle();
    const tasks = (await bench.read<DownloadTask>('xact.downloads_pending')).map(({ message }) => message.blob_path);
    const refused = await bench.read('xact.downloads_results');
    expect(tasks.length + refused.length).toBe(attachments.length);
    expect(new Set(tasks).size).toBe(tasks.length);
    for (const path of tasks) await expect(bench.blobs.head(path), path).resolves.toBeUndefined(); // an unsafe path is refused by an error
  });

  it('filters an event without an assignment, and one that came within the window', async () => {
    const bench = await workerBench();
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t1'), rawEvent('t2', { assignmentId: null }));
    await bench.idle();
    expect(worker.settled.map(({ outcome, reason }) => [outcome, reason])).toEqual(
      expect.arrayContaining([
        ['delivered', undefined],
        ['filtered', 'duplicate'],
        ['filtered', 'no assignment id'],
      ]),
    );
    expect(await bench.read('xact.downloads_pending')).toHaveLength(1);
  });

  it('A21, A22: a duplicate waits for the first; when the tasks of the first cannot be written, nothing is remembered', async () => {
    let full = false;
    const bench = await workerBench({ fault: () => (full ? Object.assign(new Error('full'), { code: 'ENOSPC' }) : undefined) });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t0'));
    await bench.idle();
    const marks = bench.transport.marks('xact.ingested', { capacity: 1000 });
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t1'));
    full = true;
    await expect.poll(() => bench.transport.backlog('xact-event-ingester', ['xact.events.raw'])).toBeGreaterThan(0);
    expect(marks.has('t1', Date.now())).toBe(false);
    expect(await bench.read('xact.downloads_pending')).toHaveLength(1);
    full = false;
    await bench.idle();
    expect((await bench.read('xact.downloads_pending')).map(({ key }) => key)).toEqual(['t0', 't1']);
    expect(worker.settled.filter(({ reason }) => reason === 'duplicate')).toHaveLength(1);
    expect(marks.has('t1', Date.now())).toBe(true);
  });

  it('A23: a hundred duplicates are decided without asking anybody, also after a write that failed', async () => {
    let full = false;
    const bench = await workerBench({ fault: () => (full ? Object.assign(new Error('full'), { code: 'ENOSPC' }) : undefined) });
    const events = Array.from({ length: 100 }, (_, index) => rawEvent(`t${index}`));
    const first = ingester(bench);
    full = true;
    await bench.send('xact.events', ...events).catch(() => undefined);
    full = false;
    await bench.send('xact.events', ...events);
    await bench.idle();
    first.unsubscribe();
    const again = ingester(bench);
    await bench.send('xact.events', ...events);
    await bench.idle();
    expect(again.settled.filter(({ reason }) => reason === 'duplicate')).toHaveLength(100);
    expect(new Set((await bench.read('xact.downloads_pending')).map(({ key }) => key)).size).toBe(100);
  });

  it('A22: what was stopped before its tasks were durable is no duplicate when it comes again', async () => {
    const hang = answering('hang', ['enrichment_complete'], () => new Promise(() => undefined), { timeout: 60_000 });
    const stuck = await workerBench({ plugins: [hang.entry] });
    const first = ingester(stuck);
    await stuck.send('xact.events', rawEvent('t1'));
    await expect.poll(() => hang.seen.length).toBe(1);
    first.unsubscribe();
    expect(first.settled).toMatchObject([]);
    const second = ingester(stuck, { chains: {} });
    await expect.poll(() => second.doors()).toEqual({ delivered: 1 });
    expect(await stuck.read('xact.downloads_pending')).toHaveLength(1);
  });

  it('A20, E5: the tasks of an event, its mark and its offset are one write', async () => {
    const bench = await workerBench();
    const writes: number[] = [];
    const produce = bench.transport.produce.bind(bench.transport);
    bench.transport.produce = (records) => {
      writes.push(records.length);
      return produce(records);
    };
    await bench.send('xact.events', rawEvent('t1', { attachments: ['a.pdf', 'b.pdf', 'c.pdf'].map(fileUrl) }));
    writes.length = 0;
    ingester(bench);
    await bench.idle();
    expect(await bench.read('xact.downloads_pending')).toHaveLength(3);
    expect(writes).toEqual([]); // all went with the outcome
    expect(await bench.transport.committed('xact-event-ingester', 'xact.events.raw')).toEqual([{ partition: 0, offset: 1 }]);
  });

  it('C7, A6: a failure of its own is retried as an event, with its cause, then dead-lettered; it passes the mark', async () => {
    const cause = new PenstockError('PS3001', 'the enrichment is not there', { category: 'transient' });
    const bench = await workerBench();
    // it is asked for a new event only: what comes back passes
    const seen = {
      has: () => {
        throw cause;
      },
      get: () => undefined,
      stats: () => ({ size: 0, evicted: 0 }),
    };
    const worker = ingester(bench, { seen });
    const rows = rowLists();
    const delta = deltaEvents(bench, rows);
    retrier(bench);
    await bench.sendWith('xact.events', { source: 'east' }, rawEvent('t1'));
    await bench.idle();
    await expect.poll(() => worker.doors()).toEqual({ retried: 1, delivered: 1 });
    expect(worker.decisions).toMatchObject([{ error: cause, category: 'transient', traceId: 't1' }]);
    const [retried] = await bench.records(`xact.events.raw.retry.${DELAYS[0]}ms`);
    expect(JSON.parse(retried!.value!.toString())).toEqual(rawEvent('t1'));
    // C9: headers survive the way through the log and the retry
    const [task] = await bench.read('xact.downloads_pending');
    expect(task?.headers['event_type']).toBe(TYPE);
    const back = (await bench.records('xact.events.raw')).at(-1)!;
    const headers = Object.fromEntries(back.headers.map(([name, value]) => [name, value.toString()]));
    expect(headers).toMatchObject({
      source: 'east',
      redelivered_from: 'xact.retry',
      retry_count: '1',
      consumer_group: 'xact-event-ingester',
    });
    // other groups of the topic let it pass
    await bench.idle();
    expect(delta.settled.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['delivered', undefined],
      ['filtered', 'redelivered for another group'],
    ]);
    expect(rows.of['xact_events']).toHaveLength(1);
  });

  it('B8: what is in flight when it drains is finished, then it completes', async () => {
    const slow = answering('slow', ['event_ingest'], () => new Promise((resolve) => setTimeout(resolve, 15)));
    const bench = await workerBench({ plugins: [slow.entry] });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t2'));
    await expect.poll(() => slow.seen.length).toBe(2);
    await worker.drain();
    expect(worker.ended).toBe('completed');
    expect(worker.doors()).toEqual({ delivered: 2 });
    expect(await bench.read('xact.downloads_pending')).toHaveLength(2);
  });

  it('A2: commits the contiguous prefix alone, whatever is finished beyond it', async () => {
    const open: (() => void)[] = [];
    const slow = answering('slow', ['event_ingest'], ({ event_id }) =>
      event_id === 't2' ? new Promise((resolve) => open.push(() => resolve(undefined))) : undefined,
    );
    const bench = await workerBench({ plugins: [slow.entry] });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t2'), rawEvent('t3'), rawEvent('t4'));
    await expect.poll(() => worker.settled.length).toBe(3);
    expect(await bench.transport.committed('xact-event-ingester', 'xact.events.raw')).toEqual([{ partition: 0, offset: 1 }]);
    open[0]!();
    await bench.idle();
    expect(await bench.transport.committed('xact-event-ingester', 'xact.events.raw')).toEqual([{ partition: 0, offset: 4 }]);
  });

  it('A3: a record that failed is in the retry topic before anything is committed past it', async () => {
    const bench = await workerBench();
    const worker = ingester(bench, {
      seen: {
        has: (key) => {
          if (key === 't1') throw new PenstockError('PS3001', 'no', { category: 'transient' });
          return false;
        },
        get: () => undefined,
        stats: () => ({ size: 0, evicted: 0 }),
      },
    });
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t2'));
    await bench.idle();
    expect(worker.doors()).toEqual({ retried: 1, delivered: 1 });
    expect(await bench.records(`xact.events.raw.retry.${DELAYS[0]}ms`)).toHaveLength(1);
    expect(await bench.transport.committed('xact-event-ingester', 'xact.events.raw')).toEqual([{ partition: 0, offset: 2 }]);
  });
});
