import type { CachedDownload, DownloadResult, DownloadTask } from '../../src/domains/xact/messages.js';

/** The type of every event here, in full. */
export const TYPE = 'verisk.claims.property.xn.documentsReceived';
export const HOST = 'files.example.com';

/** A raw event as a source sends it. */
export function rawEvent(traceId: string, data: Readonly<Record<string, unknown>> = {}, type = TYPE): Record<string, unknown> {
  return {
    type,
    version: 1,
    utcDateTime: '2031-03-04T05:06:07Z',
    traceId,
    data: { assignmentId: `A-${traceId}`, attachments: [fileUrl(`${traceId}.pdf`)], ...data },
  };
}

export function fileUrl(path: string): string {
  return `https://${HOST}/${path}`;
}

export function downloadTask(mediaId: string, fields: Partial<DownloadTask> = {}): DownloadTask {
  return {
    trace_id: `trace-${mediaId}`,
    media_id: mediaId,
    attachment_url: fileUrl(`${mediaId}.pdf`),
    blob_path: `documentsReceived/trace-${mediaId}/${mediaId}.pdf`,
    status_subtype: 'documentsReceived',
    file_type: 'PDF',
    assignment_id: 'A-1',
    estimate_version: null,
    retry_count: 0,
    event_type: 'xact',
    event_subtype: 'documentsReceived',
    original_timestamp: '2031-03-04T05:06:07Z',
    metadata: {},
    ...fields,
  };
}

export function cachedDownload(mediaId: string, path: string, fields: Partial<CachedDownload> = {}): CachedDownload {
  return {
    trace_id: `trace-${mediaId}`,
    media_id: mediaId,
    attachment_url: fileUrl(`${mediaId}.pdf`),
    destination_path: `documentsReceived/trace-${mediaId}/${mediaId}.pdf`,
    local_cache_path: path,
    bytes_downloaded: 4,
    content_type: 'application/pdf',
    event_type: 'xact',
    event_subtype: 'documentsReceived',
    status_subtype: 'documentsReceived',
    file_type: 'PDF',
    assignment_id: 'A-1',
    original_timestamp: '2031-03-04T05:06:07Z',
    downloaded_at: '2031-03-04T05:06:08Z',
    metadata: { http_status: 200, retry_count: 1 },
    ...fields,
  };
}

export function downloadResult(mediaId: string, fields: Partial<DownloadResult> = {}): DownloadResult {
  return {
    trace_id: `trace-${mediaId}`,
    media_id: mediaId,
    attachment_url: fileUrl(`${mediaId}.pdf`),
    blob_path: `documentsReceived/trace-${mediaId}/${mediaId}.pdf`,
    status_subtype: 'documentsReceived',
    file_type: 'PDF',
    assignment_id: 'A-1',
    status: 'completed',
    http_status: 200,
    bytes_downloaded: 4,
    retry_count: 0,
    error_message: null,
    created_at: '2031-03-04T05:06:09Z',
    expires_at: null,
    expired_at_ingest: null,
    ...fields,
  };
}
