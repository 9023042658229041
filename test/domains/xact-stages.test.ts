import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Context, Stages } from '../../src/plugin/index.js';
import { parseEvent, type XactEvent } from '../../src/domains/xact/event.js';
import { cachedDownload, downloadResult, type DownloadResult, type DownloadTask } from '../../src/domains/xact/messages.js';
import { contextOf, STAGE_SCHEMAS, type UploadData, XACT_STAGES } from '../../src/domains/xact/stages.js';
import { downloadTasksOf, enrichmentTaskOf } from '../../src/domains/xact/tasks.js';

const now = new Date('2031-03-04T12:00:00Z');
const event = parseEvent({
  type: 'verisk.claims.property.xn.documentsReceived',
  utcDateTime: '2031-03-04T05:06:07Z',
  traceId: 't-1',
  data: { assignmentId: 'DEMO-A-1', estimateVersion: '2', attachments: ['https://files.example.com/a.pdf'] },
});
const enrichment = enrichmentTaskOf(event, now)!;
const task = downloadTasksOf(enrichment, { urls: { allowedHosts: ['files.example.com'] }, now }).tasks[0]!;
const headers = { event_type: event.type, retry_count: '2', redelivered_from: 'xact.retry', 'x-tenant': 'demo' };
const cached = cachedDownload.parse({
  ...task,
  destination_path: task.blob_path,
  local_cache_path: '/cache/a.pdf',
  bytes_downloaded: 7,
  content_type: 'application/pdf',
  downloaded_at: '2031-03-04T12:00:00Z',
});
const result = downloadResult.parse({ ...task, status: 'completed', bytes_downloaded: 7, created_at: '2031-03-04T12:00:00Z' });

describe('contexts of the stages', () => {
  it('E10: the event type is the full type, at every stage', () => {
    expect(contextOf('event_ingest', event).event_type).toBe(event.type);
    expect(contextOf('download_queued', task, { headers }).event_type).toBe(event.type);
    expect(contextOf('result_process', result, { headers }).event_type).toBe(event.type);
    expect(contextOf('dlq', null, { data: { reason: 'unreadable' } }).event_type).toBeNull();
  });

  it('the event id is the trace id; there is no project', () => {
    for (const context of [contextOf('event_ingest', event), contextOf('download_queued', task), contextOf('upload_complete', result)]) {
      expect(context).toMatchObject({ domain: 'xact', event_id: 't-1', project_id: null });
    }
  });

  it('data is what each stage promises', () => {
    const ingest = {
      attachments: ['https://files.example.com/a.pdf'],
      assignment_id: 'DEMO-A-1',
      trace_id: 't-1',
      status_subtype: 'documentsReceived',
      estimate_version: '2',
      attachment_count: 1,
    };
    expect(contextOf('event_ingest', event).data).toEqual(ingest);
    expect(contextOf('enrichment_complete', enrichment).data).toEqual(ingest);
    const download = { media_id: task.media_id, attachment_url: task.attachment_url, file_type: 'PDF', blob_path: task.blob_path };
    expect(contextOf('download_queued', task).data).toEqual({ ...download, bytes_downloaded: null, content_type: null });
    expect(contextOf('download_complete', cached).data).toEqual({ ...download, bytes_downloaded: 7, content_type: 'application/pdf' });
    const upload = { media_id: task.media_id, blob_path: task.blob_path, bytes_uploaded: 7 };
    expect(contextOf('upload_complete', result).data).toEqual(upload);
    expect(contextOf('result_process', result).data).toEqual(upload);
    expect(contextOf('delta_write', event, { data: { batch_size: 1, table_path: 'tables/xact_events' } }).data).toEqual({
      batch_size: 1,
      table_path: 'tables/xact_events',
    });
    expect(contextOf('retry', task, { data: { delay_seconds: 300, retry_topic: 'xact.downloads.pending.retry.5m' } }).data).toEqual({
      delay_seconds: 300,
      retry_topic: 'xact.downloads.pending.retry.5m',
    });
  });

  it("headers are the record's own, without those of the retry scheme", () => {
    expect(contextOf('event_ingest', event, { headers }).headers).toEqual({ event_type: event.type, 'x-tenant': 'demo' });
  });

  it('the retry count is that of the message, else that of the headers', () => {
    expect(contextOf('event_ingest', event, { headers }).retry_count).toBe(2);
    expect(contextOf('download_queued', { ...task, retry_count: 3 }, { headers }).retry_count).toBe(3);
  });

  it('every stage has its messages checked or says that it takes them all', () => {
    expect(Object.keys(STAGE_SCHEMAS).toSorted()).toEqual([...XACT_STAGES].toSorted());
    expect(STAGE_SCHEMAS.result_process?.safeParse(result).success).toBe(true);
    expect(STAGE_SCHEMAS.result_process?.safeParse(task).success).toBe(false);
  });

  it('types: a stage names its message and its data', () => {
    expectTypeOf<Stages['xact/result_process']['message']>().toEqualTypeOf<DownloadResult>();
    expectTypeOf<Stages['xact/result_process']['data']>().toEqualTypeOf<UploadData>();
    expectTypeOf<Stages['xact/event_ingest']['message']>().toEqualTypeOf<XactEvent>();
    expectTypeOf(contextOf('download_queued', task).message).toEqualTypeOf<DownloadTask>();
    expectTypeOf(contextOf('result_process', result)).toExtend<Context>();
    // @ts-expect-error a task is no result
    contextOf('result_process', task);
  });
});
