import { z } from 'zod';
import { count, instantText, metadata, optionalText, requiredText, resultStatus } from '../message-fields.js';

const fromNumber = (value: unknown): unknown => (typeof value === 'number' ? String(value) : value);

/** An id: text that is not blank, or a number, which becomes text. */
const id = z.preprocess(fromNumber, requiredText);
/** An id that may be missing; kept as it is written. */
const optionalId = z.preprocess(fromNumber, optionalText).default(null);
const plainText = z.preprocess(fromNumber, z.string()).default('');
const rows = z.array(z.record(z.string(), z.unknown())).default([]);

export const claimxEnrichmentTask = z.object({
  trace_id: id,
  event_type: requiredText,
  project_id: id,
  retry_count: count.default(0),
  created_at: instantText,
  media_id: optionalId,
  task_assignment_id: optionalId,
  video_collaboration_id: optionalId,
  master_file_name: optionalId,
  metadata: metadata.nullable().default(null),
});
export type ClaimxEnrichmentTask = z.output<typeof claimxEnrichmentTask>;

export const claimxDownloadTask = z.object({
  media_id: id,
  project_id: id,
  download_url: requiredText,
  blob_path: requiredText,
  file_type: plainText,
  file_name: plainText,
  trace_id: id,
  retry_count: count.default(0),
  expires_at: optionalText,
  refresh_count: count.default(0),
  metadata: metadata.nullable().default(null),
});
export type ClaimxDownloadTask = z.output<typeof claimxDownloadTask>;

export const claimxCachedDownload = z.object({
  media_id: id,
  project_id: id,
  download_url: requiredText,
  destination_path: requiredText,
  local_cache_path: requiredText,
  bytes_downloaded: count,
  content_type: optionalText,
  file_type: plainText,
  file_name: plainText,
  trace_id: id,
  downloaded_at: instantText,
});

export const claimxUploadResult = z.object({
  media_id: id,
  project_id: id,
  download_url: requiredText,
  blob_path: requiredText,
  file_type: plainText,
  file_name: plainText,
  trace_id: id,
  status: resultStatus,
  bytes_uploaded: count.default(0),
  error_message: optionalText,
  created_at: instantText,
});

/** Rows of several tables in one message. */
export const entityRows = z.object({
  trace_id: plainText,
  event_type: optionalText,
  project_id: optionalId,
  projects: rows,
  contacts: rows,
  media: rows,
  tasks: rows,
  task_templates: rows,
  external_links: rows,
  video_collab: rows,
});
