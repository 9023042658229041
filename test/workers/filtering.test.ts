import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { assemble, filter, publish } from '../../src/plugin/index.js';
import { STAGE_SCHEMAS, XACT_STAGES } from '../../src/domains/xact/stages.js';
import { answering, type Seen } from './answering.js';
import { cacheFile, deltaEvents, downloader, ingester, resultProcessor, rowLists, uploader, writesFiles } from './builders.js';
import { cachedDownload, downloadResult, downloadTask, rawEvent } from './messages.js';
import { workerBench } from './worker-bench.js';

/** Filters what the word `test` stands in. */
function filtering(stage: string) {
  return answering('gate', [stage], (context: Seen) => (JSON.stringify(context.message).includes('test') ? filter('a test') : undefined), {
    filters: true,
  });
}

const reason = 'gate: a test';

describe('what does not happen to a filtered delivery', () => {
  it.each(['event_ingest', 'enrichment_complete'])('D4, D5: %s: no task is made of the event, its row is still written', async (stage) => {
    const bench = await workerBench({ plugins: [filtering(stage).entry] });
    const rows = rowLists();
    const worker = ingester(bench);
    deltaEvents(bench, rows);
    await bench.send('xact.events', rawEvent('test-1'), rawEvent('t2'));
    await bench.idle();
    expect(worker.settled.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['filtered', reason],
      ['delivered', undefined],
    ]);
    expect((await bench.read('xact.downloads_pending')).map(({ key }) => key)).toEqual(['t2']);
    expect(rows.of['xact_events']?.map((row) => row['trace_id'])).toEqual(['test-1', 't2']);
  });

  it('download_queued: nothing is fetched', async () => {
    const bench = await workerBench({ plugins: [filtering('download_queued').entry] });
    const asked: string[] = [];
    const worker = downloader(bench, (request, signal) => {
      asked.push(request.id);
      return writesFiles(bench)(request, signal);
    });
    await bench.send('xact.downloads_pending', downloadTask('test'), downloadTask('m2'));
    await bench.idle();
    expect(asked).toEqual(['m2']);
    expect(worker.doors()).toEqual({ filtered: 1, delivered: 1 });
    expect(await bench.read('xact.downloads_cached')).toHaveLength(1);
    expect(await bench.read('xact.downloads_results')).toEqual([]);
  });

  it('download_complete: nothing is uploaded, and the local file goes', async () => {
    const bench = await workerBench({ plugins: [filtering('download_complete').entry] });
    const worker = downloader(bench, writesFiles(bench));
    await bench.send('xact.downloads_pending', downloadTask('test'), downloadTask('m2'));
    await bench.idle();
    expect(worker.doors()).toEqual({ filtered: 1, delivered: 1 });
    expect((await bench.read<{ media_id: string }>('xact.downloads_cached')).map(({ message }) => message.media_id)).toEqual(['m2']);
    await expect.poll(() => existsSync(`${bench.cache}/test.pdf`)).toBe(false);
    expect(existsSync(`${bench.cache}/m2.pdf`)).toBe(true);
  });

  it('upload_complete: the file is stored and no result is told', async () => {
    const bench = await workerBench({ plugins: [filtering('upload_complete').entry] });
    const worker = uploader(bench);
    const cached = cachedDownload('test', await cacheFile(bench, 'test.pdf'));
    await bench.send('xact.downloads_cached', cached);
    await bench.idle();
    expect(worker.doors()).toEqual({ filtered: 1 });
    expect(await bench.blobs.head(cached.destination_path)).toEqual({ bytes: 4 });
    expect(await bench.read('xact.downloads_results')).toEqual([]);
    await expect.poll(() => existsSync(`${bench.cache}/test.pdf`)).toBe(false);
  });

  it('D5: result_process and delta_write: no row of this delivery, and its neighbours are written', async () => {
    for (const stage of ['result_process', 'delta_write']) {
      const bench = await workerBench({ plugins: [filtering(stage).entry] });
      const rows = rowLists();
      const results = resultProcessor(bench, rows);
      const events = deltaEvents(bench, rows);
      await bench.send('xact.downloads_results', downloadResult('m1'), downloadResult('test'), downloadResult('m3'));
      await bench.send('xact.events', rawEvent('t1'), rawEvent('test'), rawEvent('t3'));
      await bench.idle();
      const media = rows.of['xact_attachments']?.map((row) => row['media_id']);
      const traces = rows.of['xact_events']?.map((row) => row['trace_id']);
      expect(media).toEqual(stage === 'result_process' ? ['m1', 'm3'] : ['m1', 'test', 'm3']);
      expect(traces).toEqual(stage === 'delta_write' ? ['t1', 't3'] : ['t1', 'test', 't3']);
      expect((stage === 'result_process' ? results : events).doors()).toEqual({ filtered: 1, delivered: 2 });
      await bench.close();
    }
  });

  it('the log says it, with event id and reason', async () => {
    const bench = await workerBench({ plugins: [filtering('event_ingest').entry] });
    ingester(bench);
    await bench.send('xact.events', rawEvent('test-1'));
    await bench.idle();
    expect(bench.lines).toMatchObject([{ level: 'info', plugin: 'gate', event_id: 'test-1', stage: 'event_ingest' }]);
    expect(bench.lines[0]?.message).toContain('a test');
  });

  it('its actions are done before it is acknowledged', async () => {
    const told = answering('gate', ['event_ingest'], () => filter('no', [publish('xact.skipped', { why: 'no' })]), { filters: true });
    const bench = await workerBench({ plugins: [told.entry] });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ filtered: 1 });
    expect(await bench.records('xact.skipped')).toHaveLength(1);
  });

  it('what was filtered is decided again when it comes again', async () => {
    let closed = true;
    const gate = answering('gate', ['event_ingest'], () => (closed ? filter('closed') : undefined), { filters: true });
    const bench = await workerBench({ plugins: [gate.entry] });
    const worker = ingester(bench);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    closed = false;
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t1'));
    await bench.idle();
    expect(worker.settled.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['filtered', 'gate: closed'],
      ['delivered', undefined],
      ['filtered', 'duplicate'],
    ]);
  });
});

describe('stages that only observe', () => {
  it.each(['error', 'retry', 'dlq'])('%s: a plugin that says it filters is refused at load', (stage) => {
    const { entry } = filtering(stage);
    const { diagnostics } = assemble({
      domain: 'xact',
      entries: [{ type: 'gate', scope: 'domain', enabled: true, config: {}, at: () => undefined, ...entry }],
      catalogue: {},
      stages: XACT_STAGES.map((name) => ({ name, message: STAGE_SCHEMAS[name] })),
    });
    expect(diagnostics).toMatchObject([{ code: 'PS1207', severity: 'error' }]);
  });

  it('a result that filters there is ignored with a warning, and nothing is lost', async () => {
    const sly = answering('sly', ['error', 'retry', 'dlq'], () => filter('hide it'));
    const bench = await workerBench({ plugins: [sly.entry] });
    const worker = downloader(bench, () => Promise.reject(new PenstockError('PS4104', 'gone', { category: 'permanent', httpStatus: 404 })));
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1 });
    expect(await bench.deadLetters()).toHaveLength(1);
    expect(sly.seen.map(({ stage }) => stage)).toEqual(['error', 'dlq']);
    expect(bench.lines.map(({ level, code, stage }) => [level, code, stage])).toEqual([
      ['warn', 'PS1207', 'error'],
      ['warn', 'PS1207', 'dlq'],
    ]);
  });

  it('a plugin that throws there changes nothing, whatever its on_error says', async () => {
    const broken = answering('broken', ['error', 'retry', 'dlq'], () => {
      throw new Error('mine');
    });
    const bench = await workerBench({ plugins: [{ ...broken.entry, on_error: 'dlq' }] });
    const worker = downloader(bench, () => Promise.reject(new PenstockError('PS4104', 'busy', { category: 'transient', httpStatus: 503 })));
    await bench.send('xact.downloads_pending', downloadTask('m1'));
    await bench.idle();
    expect(worker.doors()).toEqual({ retried: 1 });
  });
});
