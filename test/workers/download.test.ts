import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import type { CachedDownload, DownloadResult } from '../../src/domains/xact/messages.js';
import { topicName } from '../../src/domains/xact/topics.js';
import { xactDownload } from '../../src/domains/xact/workers/xact-download.js';
import { createDownloader, type Download } from '../../src/http/index.js';
import { guard } from '../../src/runtime/guarded-call.js';
import { turns } from '../transport/collector.js';
import { answering } from './answering.js';
import { downloader, retrier, rowLists, resultProcessor, writesFiles } from './builders.js';
import { downloadTask, fileUrl, HOST, TYPE } from './messages.js';
import { DELAYS, type WorkerBench, workerBench } from './worker-bench.js';

const PDF = Buffer.from('%PDF-1.7\nsome pages\n%%EOF\n');

let server: Server;
let port: number;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const known = /^\/status-(\d+)/.exec(path);
    if (known !== null) response.writeHead(Number(known[1])).end('no');
    else if (path.startsWith('/html')) response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in</html>');
    else if (path.startsWith('/moved')) response.writeHead(302, { location: fileUrl('after.pdf') }).end();
    else if (path.startsWith('/away')) response.writeHead(302, { location: 'https://elsewhere.example.net/x.pdf' }).end();
    else if (path.startsWith('/twice') && asked.filter((one) => one === path).length < 3) response.writeHead(503).end();
    else response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': PDF.length }).end(PDF);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

/** The real downloader, against a server on loopback. */
function real(bench: WorkerBench): Download {
  return createDownloader({
    directory: bench.cache,
    allowedHosts: [HOST],
    resolve: { [HOST]: { address: '127.0.0.1', port } },
    environment: {},
  });
}

async function resultsOf(bench: WorkerBench): Promise<readonly DownloadResult[]> {
  return (await bench.read<DownloadResult>('xact.downloads_results')).map(({ message }) => message);
}

function failing(category: 'transient' | 'permanent' | 'unknown' | 'auth', httpStatus?: number): Download {
  return () => Promise.reject(new PenstockError('PS4104', 'it failed', { category, ...(httpStatus === undefined ? {} : { httpStatus }) }));
}

describe('xact-download', () => {
  it('E8: fetches a file, through redirects that are allowed, and passes it on with its type and its event’s', async () => {
    const bench = await workerBench();
    const worker = downloader(bench, real(bench));
    await bench.sendWith('xact.downloads_pending', { event_type: TYPE }, downloadTask('m1', { attachment_url: fileUrl('moved.pdf') }));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 1 });
    const [cached] = await bench.read<CachedDownload>('xact.downloads_cached');
    expect(cached?.message).toMatchObject({
      media_id: 'm1',
      bytes_downloaded: PDF.length,
      content_type: 'application/pdf',
      metadata: { http_status: 200 },
    });
    expect(readFileSync(cached!.message.local_cache_path)).toEqual(PDF);
    expect(cached?.headers).toEqual({ trace_id: 'trace-m1', media_id: 'm1', event_type: TYPE });
    expect(cached?.key).toBe('trace-m1');
  });

  it.each([
    ['status-404.pdf', 'permanent', 404],
    ['status-403.pdf', 'permanent', 403],
    ['html.pdf', 'permanent', 200],
    ['away.pdf', 'permanent', 302],
  ])('C13, E18: %s is %s: one attempt, a dead letter and a final result with its status', async (path, category, status) => {
    const bench = await workerBench();
    const worker = downloader(bench, real(bench));
    await bench.sendWith('xact.downloads_pending', { event_type: TYPE }, downloadTask('m1', { attachment_url: fileUrl(path) }));
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    const [result] = await resultsOf(bench);
    expect(result).toMatchObject({ status: 'failed_permanent', media_id: 'm1', retry_count: 0 });
    const [letter] = await bench.deadLetters();
    expect(letter).toMatchObject({ reason: 'permanent', error_category: category, media_id: 'm1', trace_id: 'trace-m1', retry_count: 0 });
    if (status >= 400) expect([result?.http_status, letter?.http_status]).toEqual([status, status]);
    expect(letter?.original_task).toMatchObject({ media_id: 'm1', attachment_url: fileUrl(path) });
  });

  it('C1, C17: N delays are N retries; each failed attempt is told as failed, the last as failed_permanent', async () => {
    const bench = await workerBench();
    const worker = downloader(bench, real(bench));
    retrier(bench);
    await bench.sendWith('xact.downloads_pending', { event_type: TYPE }, downloadTask('m1', { attachment_url: fileUrl('status-503.pdf') }));
    await expect.poll(() => worker.doors()).toEqual({ retried: DELAYS.length, dead_lettered: 1 });
    await bench.idle();
    const results = await resultsOf(bench);
    expect(results.map(({ status, retry_count, http_status }) => [status, retry_count, http_status])).toEqual([
      ['failed', 0, 503],
      ['failed', 1, 503],
      ['failed_permanent', 2, 503],
    ]);
    expect(await bench.deadLetters()).toMatchObject([
      {
        reason: 'max_retries_exceeded',
        retry_count: 2,
        http_status: 503,
        original_task: { retry_count: 2, metadata: { error_category: 'transient' } },
      },
    ]);
    for (const [index, delay] of DELAYS.entries()) {
      const records = await bench.records(`xact.downloads.pending.retry.${delay}ms`);
      expect(records, String(delay)).toHaveLength(1);
      const body = JSON.parse(records[0]!.value!.toString()) as Record<string, unknown>;
      expect(body).toMatchObject({ retry_count: index + 1, metadata: { last_error: expect.any(String) as string } });
    }
  });

  it('goes on after retries as if nothing had happened; E10: the full type of the event travels all the way', async () => {
    const bench = await workerBench();
    const worker = downloader(bench, real(bench));
    retrier(bench);
    await bench.sendWith('xact.downloads_pending', { event_type: TYPE }, downloadTask('m1', { attachment_url: fileUrl('twice.pdf') }));
    await expect.poll(() => worker.doors()).toEqual({ retried: 2, delivered: 1 });
    const [cached] = await bench.read<CachedDownload>('xact.downloads_cached');
    expect(cached?.headers['event_type']).toBe(TYPE);
    expect(cached?.message.metadata).toMatchObject({ retry_count: 2 });
  });

  it('C16: failure results go to the topic of results, whatever else is sent', async () => {
    const bench = await workerBench();
    downloader(bench, failing('permanent', 410));
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.idle();
    expect(await bench.read('xact.downloads_cached')).toEqual([]);
    expect(await resultsOf(bench)).toHaveLength(1);
  });

  it('C19: those that failed together do not come back together', async () => {
    const bench = await workerBench();
    const worker = downloader(bench, failing('transient'));
    await bench.send('xact.downloads_pending', ...Array.from({ length: 20 }, (_, n) => downloadTask(`m${n}`)));
    await bench.idle();
    const waits = worker.decisions.map(({ decision }) => (decision.action === 'retry' ? decision.waitMs : 0));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(DELAYS[0]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(DELAYS[0] * 1.1 + 1);
    expect(new Set(waits).size).toBeGreaterThan(1);
  });

  it('A13: an error that nobody classified is retried, then dead-lettered as what it was', async () => {
    const bench = await workerBench();
    const worker = downloader(bench, () => Promise.reject(new TypeError('x is not a function')));
    retrier(bench);
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await expect.poll(() => worker.doors()).toEqual({ retried: 2, dead_lettered: 1 });
    expect(await bench.deadLetters()).toMatchObject([{ error_category: 'unknown', final_error: 'x is not a function' }]);
  });

  it.each(['no json', '{"media_id": 1}', '{"trace_id":" ","media_id":"m"}'])(
    'A17: a task that cannot be read (%s) is dead-lettered',
    async (text) => {
      const bench = await workerBench();
      const worker = downloader(bench, writesFiles(bench));
      await bench.send('xact.downloads_pending', text, downloadTask('m2'));
      await bench.idle();
      expect(worker.doors()).toEqual({ dead_lettered: 1, delivered: 1 });
      const [letter] = await bench.deadLetters();
      expect(letter).toMatchObject({ reason: 'unreadable', worker: 'xact-download', original_topic: topicName('xact.downloads_pending') });
      expect(Buffer.from(letter!.original_value!, 'base64').toString()).toBe(text);
    },
  );

  it('A15, A16: nothing is committed while its dead letter cannot be written', async () => {
    let full = false;
    const bench = await workerBench({ fault: () => (full ? Object.assign(new Error('full'), { code: 'ENOSPC' }) : undefined) });
    const worker = downloader(bench, failing('permanent', 404));
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    full = true;
    await bench.transport.produce([{ topic: 'x', key: null, value: '' }]).catch(() => undefined);
    await turns();
    expect(await bench.transport.backlog('xact-download', ['xact.downloads.pending'])).toBe(1);
    expect(worker.settled.filter(({ outcome }) => outcome !== 'released')).toEqual([]);
    full = false;
    await bench.idle();
    expect(await bench.deadLetters()).toHaveLength(1);
  });

  it('A16: a failure that cannot be handled gives its delivery back, and it comes again', async () => {
    const bench = await workerBench();
    let broken = true;
    const worker = bench.start('xact-download', (shared) => {
      const sink = shared.sink;
      return xactDownload({
        ...shared,
        download: failing('transient'),
        sink: (record, delivery) => {
          if (broken) throw new Error('the route is broken');
          return sink(record, delivery);
        },
      });
    });
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await expect.poll(() => worker.settled.length).toBeGreaterThan(0);
    expect(worker.settled[0]).toMatchObject({ outcome: 'released' });
    broken = false;
    await bench.idle();
    expect(worker.doors()).toMatchObject({ retried: 1 });
  });

  it('A24: the same task twice is fetched in turn, never at once, and gives one file and one row', async () => {
    const bench = await workerBench();
    let running = 0;
    let most = 0;
    const rows = rowLists();
    const worker = downloader(bench, async (request, signal) => {
      most = Math.max(most, ++running);
      const answer = await real(bench)(request, signal);
      running -= 1;
      return answer;
    });
    resultProcessor(bench, rows);
    await bench.send('xact.downloads_pending', downloadTask('m1'), downloadTask('m1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 2 });
    expect(most).toBe(1);
    const paths = (await bench.read<CachedDownload>('xact.downloads_cached')).map(({ message }) => message.local_cache_path);
    expect(new Set(paths).size).toBe(1);
  });

  it('a file whose delivery fails after the download is removed, for it is fetched again', async () => {
    const bench = await workerBench({
      plugins: [
        answering(
          'strict',
          ['download_complete'],
          () => {
            throw new Error('no');
          },
          { on_error: 'dlq' },
        ).entry,
      ],
    });
    const worker = downloader(bench, writesFiles(bench));
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    await expect.poll(() => existsSync(`${bench.cache}/m1.pdf`)).toBe(false);
    expect(await resultsOf(bench)).toMatchObject([{ status: 'failed_permanent' }]);
  });

  it('an open circuit is no attempt: those that wait for it are given back when the worker drains', async () => {
    const bench = await workerBench();
    const hosts = guard({ failureThreshold: 1, successThreshold: 1, openMs: 60_000, halfOpenMax: 1, ignoreAuth: false });
    const fail = failing('transient', 503);
    const worker = bench.start('xact-download', (shared) =>
      xactDownload({ ...shared, download: (request, signal) => hosts.run(HOST, () => fail(request, signal), signal, shared.signal) }),
    );
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.idle();
    await bench.send('xact.downloads_pending', downloadTask('m2'), downloadTask('m3'));
    await expect.poll(() => worker.consumer.state().inFlight).toBe(2);
    expect(hosts.open()).toEqual([HOST]);
    await worker.drain();
    expect(worker.doors()).toEqual({ retried: 1, released: 2 });
    expect(await resultsOf(bench)).toHaveLength(1);
    expect(await bench.transport.committed('xact-download', 'xact.downloads.pending')).toEqual([{ partition: 0, offset: 1 }]);
  });

  it('unsubscribing stops the downloads that are out and gives them back', async () => {
    const bench = await workerBench();
    let stopped = 0;
    const worker = downloader(
      bench,
      (_request, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            stopped += 1;
            reject(new Error('stopped'));
          });
        }),
    );
    await bench.send('xact.downloads_pending', downloadTask('m1'), downloadTask('m2'));
    await expect.poll(() => worker.consumer.state().inFlight).toBe(2);
    worker.unsubscribe();
    expect(stopped).toBe(2);
    const again = downloader(bench, writesFiles(bench));
    await expect.poll(() => again.doors()).toEqual({ delivered: 2 });
  });
});
