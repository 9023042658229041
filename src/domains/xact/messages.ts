import { z } from 'zod';
import { count, errorText, instantText, metadata, optionalInstant, optionalText, requiredText, resultStatus } from '../message-fields.js';

/** What the ingester makes of an event: the same for every delivery of it. */
export const enrichmentTask = z.object({
  event_id: requiredText,
  trace_id: requiredText,
  /** The domain; the full type of the event travels in the header of this name. */
  event_type: requiredText,
  status_subtype: requiredText,
  assignment_id: requiredText,
  estimate_version: optionalText,
  attachments: z.array(z.string()).default([]),
  retry_count: count.default(0),
  created_at: instantText,
  original_timestamp: instantText,
  metadata: metadata.nullable().default(null),
});
export type EnrichmentTask = z.output<typeof enrichmentTask>;

/** One attachment to fetch. */
export const downloadTask = z.object({
  trace_id: requiredText,
  media_id: requiredText,
  attachment_url: requiredText,
  blob_path: requiredText,
  status_subtype: requiredText,
  /** The extension in capitals, or `UNKNOWN`. */
  file_type: requiredText,
  assignment_id: requiredText,
  estimate_version: optionalText,
  retry_count: count.default(0),
  event_type: requiredText,
  event_subtype: requiredText,
  original_timestamp: instantText,
  metadata: metadata.default({}),
});
export type DownloadTask = z.output<typeof downloadTask>;

/** A file that lies in the local cache and is to be uploaded. */
export const cachedDownload = z.object({
  trace_id: requiredText,
  media_id: requiredText,
  attachment_url: requiredText,
  destination_path: requiredText,
  local_cache_path: requiredText,
  bytes_downloaded: count,
  content_type: optionalText,
  event_type: requiredText,
  event_subtype: requiredText,
  status_subtype: requiredText,
  file_type: requiredText,
  assignment_id: requiredText,
  original_timestamp: instantText,
  downloaded_at: instantText,
  metadata: metadata.default({}),
});
export type CachedDownload = z.output<typeof cachedDownload>;

/** How a download ended. */
export const downloadResult = z.object({
  trace_id: requiredText,
  media_id: requiredText,
  attachment_url: requiredText,
  blob_path: requiredText,
  status_subtype: requiredText,
  file_type: requiredText,
  assignment_id: requiredText,
  status: resultStatus,
  http_status: z.int().nullable().default(null),
  bytes_downloaded: count.default(0),
  retry_count: count.default(0),
  error_message: errorText,
  created_at: instantText,
  expires_at: optionalInstant,
  expired_at_ingest: z.boolean().nullable().default(null),
});
export type DownloadResult = z.output<typeof downloadResult>;

/** The body of a dead letter of a download task. */
export const failedDownload = z.object({
  trace_id: requiredText,
  media_id: requiredText,
  attachment_url: requiredText,
  original_task: downloadTask,
  final_error: errorText,
  error_category: requiredText,
  retry_count: count,
  failed_at: instantText,
});
export type FailedDownload = z.output<typeof failedDownload>;
