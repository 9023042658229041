import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { mediaId } from '../../src/domains/xact/ids.js';
import { guard } from '../../src/runtime/guarded-call.js';
import { answering, type Seen } from './answering.js';
import { cacheFile, deltaEvents, downloader, ingester, resultProcessor, rowLists, retrier, uploader, writesFiles } from './builders.js';
import { cachedDownload, downloadResult, downloadTask, fileUrl, rawEvent, TYPE } from './messages.js';
import { workerBench } from './worker-bench.js';

/** Every field of a context as a plain object; nothing else may be there for a plugin to read. */
function fieldsOf(context: Seen): Record<string, unknown> {
  const { domain, stage, worker, message, event_id, event_type, project_id, data, headers, error, retry_count, timestamp } = context;
  return { domain, stage, worker, message, event_id, event_type, project_id, data, headers, error, retry_count, timestamp };
}

const shared = { domain: 'xact', project_id: null, error: null, retry_count: 0, timestamp: expect.any(Date) as Date };
const failure = new PenstockError('PS4104', 'the host does not answer', { category: 'transient', httpStatus: 503 });
const fails = () => Promise.reject(failure);

describe('what a plugin sees in the real worker', () => {
  it('E10: at event_ingest the event, with its full type', async () => {
    const probe = answering('probe', ['event_ingest']);
    const bench = await workerBench({ plugins: [probe.entry] });
    ingester(bench);
    await bench.sendWith('xact.events', { source: 'east' }, rawEvent('t1', { estimateVersion: '2' }));
    await bench.idle();
    expect(probe.seen.map(fieldsOf)).toEqual([
      {
        ...shared,
        stage: 'event_ingest',
        worker: 'xact-event-ingester',
        event_id: 't1',
        event_type: TYPE,
        headers: { source: 'east' },
        message: {
          type: TYPE,
          version: 1,
          utcDateTime: '2031-03-04T05:06:07Z',
          traceId: 't1',
          eventId: null,
          data: { assignmentId: 'A-t1', attachments: [fileUrl('t1.pdf')], estimateVersion: '2' },
        },
        data: {
          attachments: [fileUrl('t1.pdf')],
          assignment_id: 'A-t1',
          trace_id: 't1',
          status_subtype: 'documentsReceived',
          estimate_version: '2',
          attachment_count: 1,
        },
      },
    ]);
  });

  it('at enrichment_complete the enrichment task, with what ingest knew', async () => {
    const probe = answering('probe', ['enrichment_complete']);
    const bench = await workerBench({ plugins: [probe.entry] });
    ingester(bench);
    await bench.send('xact.events', rawEvent('t1', { attachments: [] }));
    await bench.idle();
    expect(probe.seen.map(fieldsOf)).toEqual([
      {
        ...shared,
        stage: 'enrichment_complete',
        worker: 'xact-event-ingester',
        event_id: 't1',
        event_type: TYPE,
        headers: { event_type: TYPE },
        message: expect.objectContaining({ trace_id: 't1', event_type: 'xact', assignment_id: 'A-t1', attachments: [] }) as object,
        data: {
          attachments: [],
          assignment_id: 'A-t1',
          trace_id: 't1',
          status_subtype: 'documentsReceived',
          estimate_version: null,
          attachment_count: 0,
        },
      },
    ]);
  });

  it('at download_queued the task, at download_complete the cached file', async () => {
    const probe = answering('probe', ['download_queued', 'download_complete']);
    const bench = await workerBench({ plugins: [probe.entry] });
    downloader(bench, writesFiles(bench));
    const task = downloadTask('m1');
    await bench.sendWith('xact.downloads_pending', { event_type: TYPE, trace_id: 'trace-m1' }, task);
    await bench.idle();
    const known = { media_id: 'm1', attachment_url: fileUrl('m1.pdf'), file_type: 'PDF', blob_path: task.blob_path };
    const common = {
      ...shared,
      worker: 'xact-download',
      event_id: 'trace-m1',
      event_type: TYPE,
      headers: { event_type: TYPE, trace_id: 'trace-m1' },
    };
    expect(probe.seen.map(fieldsOf)).toEqual([
      { ...common, stage: 'download_queued', message: task, data: { ...known, bytes_downloaded: null, content_type: null } },
      {
        ...common,
        stage: 'download_complete',
        message: expect.objectContaining({ media_id: 'm1', destination_path: task.blob_path, bytes_downloaded: 4 }) as object,
        data: { ...known, bytes_downloaded: 4, content_type: 'application/pdf' },
      },
    ]);
  });

  it('at upload_complete and result_process the result', async () => {
    const probe = answering('probe', ['upload_complete', 'result_process']);
    const bench = await workerBench({ plugins: [probe.entry] });
    uploader(bench);
    resultProcessor(bench, rowLists());
    const cached = cachedDownload('m1', await cacheFile(bench, 'm1.pdf'));
    await bench.sendWith('xact.downloads_cached', { event_type: TYPE }, cached);
    await bench.idle();
    await bench.idle();
    const data = { media_id: 'm1', blob_path: cached.destination_path, bytes_uploaded: 4 };
    const message = downloadResult('m1', { retry_count: 1, created_at: expect.any(String) as string });
    const common = { ...shared, event_id: 'trace-m1', event_type: TYPE, retry_count: 1, message, data };
    expect(probe.seen.map(fieldsOf)).toEqual([
      { ...common, stage: 'upload_complete', worker: 'xact-upload', headers: { event_type: TYPE } },
      {
        ...common,
        stage: 'result_process',
        worker: 'xact-result-processor',
        headers: { event_type: TYPE, trace_id: 'trace-m1', media_id: 'm1' },
      },
    ]);
  });

  it('at delta_write the event, the size of a batch and the table', async () => {
    const probe = answering('probe', ['delta_write', 'event_ingest']);
    const bench = await workerBench({ plugins: [probe.entry] });
    deltaEvents(bench, rowLists(), { batchSize: 500, tablePath: '/data/tables/xact_events' });
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    expect(probe.seen.map(fieldsOf)).toEqual([
      {
        ...shared,
        stage: 'delta_write',
        worker: 'xact-delta-events',
        event_id: 't1',
        event_type: TYPE,
        headers: {},
        message: expect.objectContaining({ traceId: 't1' }) as object,
        data: { batch_size: 500, table_path: '/data/tables/xact_events' },
      },
    ]);
  });

  it('at event_ingest of the table writer too, when that is switched on', async () => {
    const probe = answering('probe', ['event_ingest']);
    const bench = await workerBench({ plugins: [probe.entry] });
    deltaEvents(bench, rowLists(), { runEventIngest: true });
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    expect(probe.seen.map(({ stage, worker }) => [stage, worker])).toEqual([['event_ingest', 'xact-delta-events']]);
  });

  it('at error, retry and dlq the message that failed, why, and what becomes of it', async () => {
    const probe = answering('probe', ['error', 'retry', 'dlq']);
    const bench = await workerBench({ plugins: [probe.entry] });
    downloader(bench, fails);
    retrier(bench);
    await bench.sendWith('xact.downloads_pending', { event_type: TYPE }, downloadTask('m1'));
    await bench.idle();
    await bench.idle();
    await bench.idle();
    const common = { ...shared, worker: 'xact-download', event_id: 'trace-m1', event_type: TYPE, error: failure };
    const seen = probe.seen.map(fieldsOf);
    const sight = (stage: string, retryCount: number, data: object) => ({
      ...common,
      stage,
      retry_count: retryCount,
      headers: expect.objectContaining({ event_type: TYPE }) as object,
      message: expect.objectContaining({ media_id: 'm1', retry_count: retryCount }) as object,
      data,
    });
    const topic = 'xact.downloads.pending';
    expect(seen).toEqual([
      sight('error', 0, { error_category: 'transient', retry_count: 0 }),
      sight('retry', 0, { delay_seconds: 0.02, retry_topic: `${topic}.retry.20ms` }),
      sight('error', 1, { error_category: 'transient', retry_count: 1 }),
      sight('retry', 1, { delay_seconds: 0.03, retry_topic: `${topic}.retry.30ms` }),
      sight('error', 2, { error_category: 'transient', retry_count: 2 }),
      sight('dlq', 2, { reason: 'max_retries_exceeded' }),
    ]);
    const scheme = /^(retry_count|scheduled_retry_time|target_topic|consumer_group|redelivered_from|worker_type|original_key)$/;
    expect(probe.seen.flatMap(({ headers }) => Object.keys(headers)).filter((name) => scheme.test(name))).toEqual([]);
  });

  it('at dlq no message, when it could not be read', async () => {
    const probe = answering('probe', ['error', 'dlq']);
    const bench = await workerBench({ plugins: [probe.entry] });
    resultProcessor(bench, rowLists());
    await bench.send('xact.downloads_results', 'no json');
    await bench.idle();
    expect(probe.seen.map(({ stage, message, event_id, data }) => [stage, message, event_id, data])).toEqual([
      ['error', null, '', { error_category: 'permanent', retry_count: 0 }],
      ['dlq', null, '', { reason: 'unreadable' }],
    ]);
  });

  it('circuit: opened, on the failure that opened the breaker and on no other', async () => {
    const probe = answering('probe', ['error']);
    const bench = await workerBench({ plugins: [probe.entry] });
    const breaker = { failureThreshold: 2, successThreshold: 1, openMs: 40, halfOpenMax: 1, ignoreAuth: false };
    const hosts = guard(breaker);
    let tries = 0;
    downloader(bench, (request, signal) =>
      hosts.run(
        'host',
        () => {
          tries += 1;
          // each failure is an error of its own, as those of a real download are
          if (tries <= 2) return Promise.reject(new PenstockError('PS4104', 'refused', { category: 'transient' }));
          return writesFiles(bench)(request, signal);
        },
        signal,
      ),
    );
    await bench.send('xact.downloads_pending', downloadTask('m1'), downloadTask('m2'), downloadTask('m3'));
    await bench.idle();
    expect(probe.seen.map(({ data }) => data)).toEqual([
      { error_category: 'transient', retry_count: 0 },
      { error_category: 'transient', retry_count: 0, circuit: 'opened' },
    ]);
    expect(tries).toBe(3);
  });

  it('the media id of each attachment, in one namespace', async () => {
    const bench = await workerBench();
    ingester(bench);
    await bench.send('xact.events', rawEvent('t1'));
    await bench.idle();
    const [task] = await bench.read<{ media_id: string }>('xact.downloads_pending');
    expect(task?.message.media_id).toBe(mediaId('t1', fileUrl('t1.pdf')));
    expect(task?.headers).toEqual({ trace_id: 't1', media_id: task?.message.media_id, event_type: TYPE });
    expect(task?.key).toBe('t1');
  });
});
