import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { readDeadLetter, replayRecord } from '../../src/runtime/dead-letter.js';
import { retryHeaders } from '../../src/runtime/retry-policy.js';
import { xactRetry } from '../../src/domains/xact/workers/xact-retry.js';
import { downloader, retrier, writesFiles } from './builders.js';
import { downloadTask } from './messages.js';
import { DELAYS, workerBench } from './worker-bench.js';

const TIER = `xact.downloads.pending.retry.${DELAYS[0]}ms`;

const scheme = (retryCount: number): Record<string, string> => ({
  ...retryHeaders({
    traceId: 'trace-m1',
    retryCount,
    dueAt: Date.now() - 1,
    delayMs: DELAYS[0],
    targetTopic: 'xact.downloads_pending',
    workerType: 'xact-download',
    originalKey: 'trace-m1',
    category: 'transient',
    domain: 'xact',
    group: 'xact-download',
  }),
});

describe('records of retry topics', () => {
  it('C15: one that was given up there is replayed to the worker that asked for it, counted from 0', async () => {
    const bench = await workerBench();
    const retries = retrier(bench);
    const tasks: number[] = [];
    downloader(bench, (request, signal) => {
      tasks.push(request.attempt);
      return writesFiles(bench)(request, signal);
    });
    await bench.transport.produce([
      { topic: TIER, key: 'trace-m1', value: JSON.stringify(downloadTask('m1')), headers: scheme(DELAYS.length + 1) },
    ]);
    await bench.idle();
    expect(retries.settled).toMatchObject([{ outcome: 'dead_lettered', reason: 'max_retries_exceeded' }]);
    const [letter] = (await bench.records('xact.dlq')).map(readDeadLetter);
    await bench.transport.produce([replayRecord(letter!)]);
    await expect.poll(() => tasks).toEqual([0]);
    await bench.idle();
    expect(retries.doors()).toEqual({ dead_lettered: 1, delivered: 1 });
    expect(await bench.read('xact.downloads_cached')).toHaveLength(1);
  });

  it('A16: one that could not be sent on is given back and comes again; no retry topic is made of a retry topic', async () => {
    const bench = await workerBench();
    let failures = 2;
    const worker = bench.start('xact-retry', (shared) =>
      xactRetry({
        ...shared,
        sink: (record, delivery) => {
          failures -= 1;
          if (failures >= 0) throw new PenstockError('PS4107', 'no room for the value', { category: 'transient' });
          return shared.sink(record, delivery);
        },
      }),
    );
    await bench.transport.produce([{ topic: TIER, key: 'k', value: JSON.stringify(downloadTask('m1')), headers: scheme(1) }]);
    await expect.poll(() => worker.doors()).toEqual({ released: 2, delivered: 1 });
    expect(await bench.records('xact.downloads.pending')).toHaveLength(1);
    expect((await bench.transport.topics()).map(({ name }) => name).filter((name) => /retry.*retry/.test(name))).toEqual([]);
  });
});
