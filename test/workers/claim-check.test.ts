import { describe, expect, it } from 'vitest';
import { deadLetters } from '../../src/cli/dead-letters.js';
import { cliDomain } from '../../src/cli/domain.js';
import { PenstockError } from '../../src/diagnostics/index.js';
import type { DownloadTask } from '../../src/domains/xact/messages.js';
import { valueOf } from '../../src/runtime/claim-check.js';
import { xactActions } from '../../src/domains/xact/workers/xact-actions.js';
import { act, publish, webhook } from '../../src/plugin/index.js';
import { readDeadLetter, replayRecord } from '../../src/runtime/dead-letter.js';
import { textHeaders } from '../../src/runtime/item.js';
import type { BlobStore } from '../../src/storage/blob/index.js';
import { answering } from './answering.js';
import { deltaEvents, downloader, ingester, retrier, rowLists, writesFiles } from './builders.js';
import { downloadTask, rawEvent, TYPE } from './messages.js';
import { DELAYS, type WorkerBench, workerBench } from './worker-bench.js';

const MAX = 4096;

function large(mediaId: string): DownloadTask {
  return downloadTask(mediaId, { metadata: { note: 'x'.repeat(MAX) } });
}

/** The values that lie there. */
async function listed(blobs: BlobStore): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const { path } of blobs.list()) if (!path.endsWith('.spent')) paths.push(path);
  return paths;
}

const busy = new PenstockError('PS4104', 'busy', { category: 'transient', httpStatus: 503 });

async function recordsThatTravel(bench: WorkerBench, topic: string) {
  return (await bench.records(topic)).map((record) => ({ bytes: record.value?.length ?? 0, claim: textHeaders(record)['claim_check'] }));
}

describe('records that are too large to travel', () => {
  it('A7: are retried by claim check, reach their worker whole, and leave nothing behind', async () => {
    const bench = await workerBench({ maxRecordBytes: MAX });
    let failures = 2;
    const seen: number[] = [];
    const worker = downloader(bench, (request, signal) => {
      seen.push(request.attempt);
      return failures-- > 0 ? Promise.reject(busy) : writesFiles(bench)(request, signal);
    });
    retrier(bench);
    await bench.sendWith('xact.downloads_pending', { event_type: TYPE }, large('m1'));
    await expect.poll(() => worker.doors()).toEqual({ retried: 2, delivered: 1 });
    await bench.idle();
    expect(seen).toEqual([0, 1, 2]);
    for (const delay of DELAYS) {
      const [travelled] = await recordsThatTravel(bench, `xact.downloads.pending.retry.${delay}ms`);
      expect(travelled).toEqual({ bytes: 0, claim: expect.stringContaining('xact.downloads.pending/') as string });
    }
    const cached = (await bench.records('xact.downloads.cached'))[0]!;
    const message = JSON.parse((await valueOf(cached, bench.claims))!.toString()) as DownloadTask;
    expect(message.metadata).toMatchObject({ note: 'x'.repeat(MAX), retry_count: 2 });
    expect(textHeaders(cached)['event_type']).toBe(TYPE);
    // the claim of the cached file stays for its reader, those of the retries are gone
    await expect.poll(async () => await listed(bench.claimed)).toEqual([textHeaders(cached)['claim_check']]);
  });

  it('A7: are dead-lettered by claim check with all their bytes, and can be replayed', async () => {
    const bench = await workerBench({ maxRecordBytes: MAX });
    let failing = true;
    const worker = downloader(bench, (request, signal) =>
      failing
        ? Promise.reject(new PenstockError('PS4104', 'gone', { category: 'permanent', httpStatus: 404 }))
        : writesFiles(bench)(request, signal),
    );
    const task = large('m1');
    await bench.send('xact.downloads_pending', task);
    await bench.idle();
    const [record] = await bench.records('xact.dlq');
    expect(record!.value).toBeNull();
    const letter = readDeadLetter({ ...record!, value: await valueOf(record!, bench.claims) });
    expect(Buffer.from(letter.letter.original_value!, 'base64').toString()).toBe(JSON.stringify(task));
    failing = false;
    await bench.transport.produce([replayRecord(letter)]);
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1, delivered: 1 });
    expect(await listed(bench.claimed)).toContain(textHeaders(record!)['claim_check']);
  });

  it('C14: are listed by the dead-letter commands whole', async () => {
    const bench = await workerBench({ maxRecordBytes: MAX });
    downloader(bench, () => Promise.reject(new PenstockError('PS4104', 'gone', { category: 'permanent', httpStatus: 404 })));
    await bench.send('xact.downloads_pending', large('m1'), downloadTask('m2'));
    await bench.idle();
    const unreadable: unknown[] = [];
    const found: unknown[] = [];
    const options = { claims: bench.claims, onUnreadable: (record: unknown) => unreadable.push(record) };
    for await (const { letter } of deadLetters(bench.transport, cliDomain('xact'), {}, options)) found.push(letter['media_id']);
    expect(found).toEqual(['m1', 'm2']);
    expect(unreadable).toEqual([]);
  });

  it('small ones travel as they are', async () => {
    const bench = await workerBench({ maxRecordBytes: MAX });
    downloader(bench, () => Promise.reject(busy));
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.idle();
    const [travelled] = await recordsThatTravel(bench, `xact.downloads.pending.retry.${DELAYS[0]}ms`);
    expect(travelled?.claim).toBeUndefined();
    expect(await listed(bench.claimed)).toEqual([]);
  });

  it('the value is still there while the delivery that needs it can come again', async () => {
    const bench = await workerBench({ maxRecordBytes: MAX });
    let broken = 1;
    const rows = rowLists(() => {
      if (broken-- > 0) throw new PenstockError('PS4108', 'busy', { category: 'transient' });
    });
    const first = deltaEvents(bench, rows);
    await bench.send('xact.events', rawEvent('t1', { note: 'x'.repeat(MAX) }));
    await bench.idle();
    expect(first.doors()).toEqual({ retried: 1 });
    expect(await listed(bench.claimed)).toHaveLength(1);
    first.unsubscribe();
    let write: (() => void) | undefined;
    const waiting = deltaEvents(
      bench,
      rowLists(() => new Promise<void>((resolve) => (write = resolve))),
    );
    retrier(bench);
    await expect.poll(() => write).toBeDefined();
    waiting.unsubscribe();
    expect(waiting.doors()).toEqual({});
    expect(await listed(bench.claimed)).toHaveLength(1);
    const last = rowLists();
    deltaEvents(bench, last);
    await expect.poll(() => last.of['xact_events']?.length).toBe(1);
    expect(last.of['xact_events']?.[0]).toMatchObject({ trace_id: 't1', note: 'x'.repeat(MAX) });
    await expect.poll(() => listed(bench.claimed)).toEqual([]);
  });

  it('A24: a record that lies in the log twice is done once, also when its value is gone by then', async () => {
    const bench = await workerBench({ maxRecordBytes: MAX });
    let failures = 1;
    const worker = downloader(bench, (request, signal) => (failures-- > 0 ? Promise.reject(busy) : writesFiles(bench)(request, signal)));
    const retrying = retrier(bench);
    await bench.send('xact.downloads_pending', large('m1'));
    await expect.poll(() => worker.doors()).toEqual({ retried: 1, delivered: 1 });
    await bench.idle();
    // Whoever sent it back died before that was known, so that somebody else sends it back again.
    const again = (await bench.records('xact.downloads.pending')).at(-1)!;
    expect(textHeaders(again)['claim_check']).toBeDefined();
    await expect.poll(async () => (await listed(bench.claimed)).length).toBe(1);
    await bench.transport.produce([{ topic: again.topic, key: again.key, value: again.value, headers: again.headers }]);
    await bench.idle();
    expect(worker.doors()).toEqual({ retried: 1, delivered: 1, filtered: 1 });
    expect(await bench.deadLetters()).toEqual([]);
    retrying.unsubscribe();
  });

  it('a value that is not there dead-letters its record, and its neighbours go on', async () => {
    const bench = await workerBench({ maxRecordBytes: MAX });
    const worker = downloader(bench, writesFiles(bench));
    await bench.sendWith('xact.downloads_pending', { claim_check: 'nowhere/at/all' }, '');
    await bench.send('xact.downloads_pending', downloadTask('m2'));
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1, delivered: 1 });
    expect(await bench.deadLetters()).toMatchObject([
      { reason: 'unreadable', original_headers: [{ name: 'claim_check', value: 'nowhere/at/all' }] },
    ]);
  });

  it('what cannot be stored is not handed on: its delivery is given back', async () => {
    const bench = await workerBench({ maxRecordBytes: MAX });
    const put = bench.claimed.put.bind(bench.claimed);
    let full = true;
    bench.claimed.put = (...asked) =>
      full ? Promise.reject(new PenstockError('PS3002', 'full', { category: 'transient' })) : put(...asked);
    const worker = downloader(bench, () => Promise.reject(busy));
    await bench.send('xact.downloads_pending', large('m1'));
    await expect.poll(() => worker.doors().released ?? 0).toBeGreaterThan(0);
    expect(await bench.records(`xact.downloads.pending.retry.${DELAYS[0]}ms`)).toEqual([]);
    full = false;
    await bench.idle();
    expect(worker.doors()).toMatchObject({ retried: 1 });
  });

  it('A7: actions travel by claim check as well, to the outbox and to their dead letters, and are performed whole', async () => {
    const big = 'x'.repeat(MAX);
    const hook = answering('hook', ['event_ingest'], () => act(webhook('https://hooks.example.com', { body: { big } })));
    const lost = answering('lost', ['event_ingest'], () => act(publish('broken.topic', { big })));
    const bench = await workerBench({ maxRecordBytes: MAX, plugins: [hook.entry, lost.entry] });
    const produce = bench.transport.produce.bind(bench.transport);
    bench.transport.produce = (records) =>
      records.some(({ topic }) => topic === 'broken.topic') ? Promise.reject(new PenstockError('PS3001', 'no')) : produce(records);
    ingester(bench);
    await bench.send('xact.events', rawEvent('t1', { attachments: [] }));
    await bench.idle();
    for (const topic of ['xact.actions.outbox', 'xact.dlq']) {
      expect(await recordsThatTravel(bench, topic)).toEqual([{ bytes: 0, claim: expect.stringContaining(topic) as string }]);
    }
    const sent: unknown[] = [];
    const refused = () => Promise.reject(new Error('not asked'));
    bench.start('xact-actions', (shared) =>
      xactActions({ ...shared, performers: { webhook: (action) => void sent.push(action.params.body), email: refused, publish: refused } }),
    );
    await bench.idle();
    expect(sent).toEqual([{ big }]);
    await expect.poll(async () => (await listed(bench.claimed)).map((path) => path.split('/')[0])).toEqual(['xact.dlq']);
  });
});
