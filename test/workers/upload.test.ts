import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { type DownloadResult, type DownloadTask, downloadTask } from '../../src/domains/xact/messages.js';
import type { BlobStore } from '../../src/storage/blob/index.js';
import { answering } from './answering.js';
import { cacheFile, resultProcessor, retrier, rowLists, uploader } from './builders.js';
import { cachedDownload, TYPE } from './messages.js';
import { type WorkerBench, workerBench } from './worker-bench.js';

/** A store that refuses so many files first. */
function refusing(bench: WorkerBench, times: number, category: 'transient' | 'permanent' = 'transient'): BlobStore {
  let left = times;
  return new Proxy(bench.blobs, {
    get: (store, name) =>
      name === 'putFile' && left-- > 0
        ? () => Promise.reject(new PenstockError('PS4107', 'the store does not answer', { category }))
        : (Reflect.get(store, name) as unknown),
  });
}

async function resultsOf(bench: WorkerBench): Promise<readonly DownloadResult[]> {
  return (await bench.read<DownloadResult>('xact.downloads_results')).map(({ message }) => message);
}

describe('xact-upload', () => {
  it('E1, E18: stores a file and tells it completed with the status of its download; the processor writes its row', async () => {
    const bench = await workerBench();
    const rows = rowLists();
    const worker = uploader(bench);
    resultProcessor(bench, rows);
    const cached = cachedDownload('m1', await cacheFile(bench, 'm1.pdf'));
    await bench.sendWith('xact.downloads_cached', { event_type: TYPE }, cached);
    await bench.idle();
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
    expect(await bench.blobs.get(cached.destination_path)).toEqual(Buffer.from('%PDF'));
    expect(await resultsOf(bench)).toMatchObject([{ status: 'completed', http_status: 200, retry_count: 1, bytes_downloaded: 4 }]);
    expect(rows.of['xact_attachments']).toMatchObject([{ media_id: 'm1' }]);
    await expect.poll(() => existsSync(cached.local_cache_path)).toBe(false);
  });

  it('A18: a store that fails for a while is tried again, and the file stays until then', async () => {
    const bench = await workerBench();
    const worker = uploader(bench, { blobs: refusing(bench, 1) });
    const cached = cachedDownload('m1', await cacheFile(bench, 'm1.pdf'));
    await bench.sendWith('xact.downloads_cached', { event_type: TYPE }, cached);
    await bench.idle();
    expect(worker.doors()).toEqual({ retried: 1 });
    expect(existsSync(cached.local_cache_path)).toBe(true);
    expect(await resultsOf(bench)).toEqual([]);
    retrier(bench);
    await expect.poll(() => worker.doors()).toEqual({ retried: 1, delivered: 1 });
    expect(await resultsOf(bench)).toMatchObject([{ status: 'completed' }]);
    expect((await bench.read('xact.downloads_results'))[0]?.headers['event_type']).toBe(TYPE);
  });

  it('A18: when the retries are used up, a dead letter and a failed_permanent result, which is recorded', async () => {
    const bench = await workerBench();
    const rows = rowLists();
    const worker = uploader(bench, { blobs: refusing(bench, 99) });
    retrier(bench);
    resultProcessor(bench, rows);
    await bench.send('xact.downloads_cached', cachedDownload('m1', await cacheFile(bench, 'm1.pdf')));
    await expect.poll(() => worker.doors()).toEqual({ retried: 2, dead_lettered: 1 });
    await bench.idle();
    expect(await bench.deadLetters()).toMatchObject([
      { reason: 'max_retries_exceeded', worker: 'xact-upload', media_id: 'm1', error_code: 'PS4107' },
    ]);
    expect(await resultsOf(bench)).toMatchObject([{ status: 'failed_permanent', retry_count: 2, http_status: 200 }]);
    expect(rows.of['xact_attachments_failed']).toMatchObject([{ media_id: 'm1' }]);
  });

  it('A19: one upload again: a file that an earlier attempt stored counts as stored, each delivery has its own outcome', async () => {
    const bench = await workerBench();
    const worker = uploader(bench);
    const done = cachedDownload('m1', await cacheFile(bench, 'm1.pdf'));
    const gone = cachedDownload('m2', join(bench.cache, 'm2.pdf'));
    await bench.blobs.putFile(done.destination_path, done.local_cache_path);
    await rm(done.local_cache_path);
    await bench.send('xact.downloads_cached', done, gone, cachedDownload('m3', await cacheFile(bench, 'm3.pdf')));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 3 });
    expect((await resultsOf(bench)).map(({ media_id, status }) => [media_id, status]).toSorted()).toEqual([
      ['m1', 'completed'],
      ['m3', 'completed'],
    ]);
    expect((await bench.read<DownloadTask>('xact.downloads_pending')).map(({ message }) => message.media_id)).toEqual(['m2']);
  });

  it('a file that is gone from the cache, or cut, is downloaded again, and what it was asked for as stays with it', async () => {
    const bench = await workerBench();
    const worker = uploader(bench);
    const gone = cachedDownload('m1', join(bench.cache, 'm1.pdf'));
    const cut = { ...cachedDownload('m2', await cacheFile(bench, 'm2.pdf')), bytes_downloaded: 5 };
    await bench.sendWith('xact.downloads_cached', { event_type: TYPE }, gone, cut);
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 2 });
    expect(await resultsOf(bench)).toEqual([]);
    expect(await bench.blobs.get(cut.destination_path)).toBeUndefined();
    const tasks = await bench.read<DownloadTask>('xact.downloads_pending');
    const { attachment_url, destination_path: blob_path } = gone;
    expect(tasks.find(({ message }) => message.media_id === 'm1')).toMatchObject({
      headers: { event_type: TYPE },
      message: { attachment_url, blob_path, retry_count: 1, metadata: { fetched_again: 1 } },
    });
    expect(tasks).toHaveLength(2);
    for (const { message } of tasks) expect(downloadTask.safeParse(message).success).toBe(true);
  });

  it('a file that keeps vanishing is given up', async () => {
    const bench = await workerBench();
    const worker = uploader(bench);
    const cached = cachedDownload('m1', join(bench.cache, 'm1.pdf'));
    await bench.send('xact.downloads_cached', { ...cached, metadata: { ...cached.metadata, fetched_again: 3 } });
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    expect(await bench.deadLetters()).toMatchObject([{ reason: 'permanent', error_code: 'PS4107', media_id: 'm1' }]);
    expect(await resultsOf(bench)).toMatchObject([{ status: 'failed_permanent' }]);
  });

  it('E6: a sibling’s file is left alone', async () => {
    const bench = await workerBench();
    uploader(bench);
    const sibling = await cacheFile(bench, 'm2.pdf');
    await bench.send('xact.downloads_cached', cachedDownload('m1', await cacheFile(bench, 'm1.pdf')));
    await bench.idle();
    await expect.poll(() => existsSync(join(bench.cache, 'm1.pdf'))).toBe(false);
    expect(existsSync(sibling)).toBe(true);
  });

  it.each([
    ['a local path outside the cache', { local_cache_path: '/etc/hostname' }],
    ['a path that climbs out of the cache', { local_cache_path: 'CACHE/../../secret' }],
    ['a destination outside the store', { destination_path: '../outside.pdf' }],
    ['a destination with a NUL', { destination_path: 'a/\u0000.pdf' }],
  ])('E17: %s is refused for good', async (_what, fields) => {
    const bench = await workerBench();
    const worker = uploader(bench);
    const cached = { ...cachedDownload('m1', await cacheFile(bench, 'm1.pdf')), ...fields };
    cached.local_cache_path = cached.local_cache_path.replace('CACHE', bench.cache);
    await bench.send('xact.downloads_cached', cached);
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    expect(await bench.deadLetters()).toMatchObject([{ reason: 'permanent', error_code: 'PS4111' }]);
    expect(await resultsOf(bench)).toMatchObject([{ status: 'failed_permanent' }]);
  });

  it.each(['no json', '{}'])('A17: a message that cannot be read (%s) is dead-lettered with its bytes', async (text) => {
    const bench = await workerBench();
    const worker = uploader(bench);
    await bench.send('xact.downloads_cached', text);
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    const [letter] = await bench.deadLetters();
    expect(letter).toMatchObject({ reason: 'unreadable', worker: 'xact-upload' });
    expect(Buffer.from(letter!.original_value!, 'base64').toString()).toBe(text);
    expect(await resultsOf(bench)).toEqual([]);
  });

  it('a plugin that fails after the file was stored costs no second download: when it comes again, it counts as stored', async () => {
    let failing = true;
    const bench = await workerBench({
      plugins: [
        answering(
          'strict',
          ['upload_complete'],
          () => {
            if (failing) throw new Error('no');
          },
          { on_error: 'dlq' },
        ).entry,
      ],
    });
    const worker = uploader(bench);
    const cached = cachedDownload('m1', await cacheFile(bench, 'm1.pdf'));
    await bench.send('xact.downloads_cached', cached);
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    failing = false;
    await rm(cached.local_cache_path);
    await bench.send('xact.downloads_cached', cached);
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1, delivered: 1 });
    expect((await resultsOf(bench)).at(-1)).toMatchObject({ status: 'completed' });
  });
});
