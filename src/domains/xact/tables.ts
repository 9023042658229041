import type { Column, ColumnType, Row, TableSchema } from '../../storage/delta/table.js';
import { CONTENT_COLUMNS } from './flatten.js';
import type { DownloadResult } from './messages.js';

function column(name: string, type: ColumnType, about: string): Column {
  return { name, type, about };
}

/** A column that differs from run to run. */
function processingTime(name: string, type: ColumnType, about: string): Column {
  return { name, type, about, processingTime: true };
}

function content(name: keyof typeof CONTENT_COLUMNS): Column {
  return column(name, 'text', `\`data.${CONTENT_COLUMNS[name].join('.')}\` as text.`);
}

/** One row for each event, whatever its outcome. */
export const XACT_EVENTS: TableSchema = {
  name: 'xact_events',
  about: 'One row for each XACT event.',
  columns: [
    column('type', 'text', 'The full type of the event.'),
    column('status_subtype', 'text', 'What stands after the last dot of the type.'),
    column('version', 'text', 'The version of the event.'),
    column('ingested_at', 'timestamp', "The event's own time, in UTC."),
    column('event_date', 'date', 'The date of `ingested_at`, in UTC.'),
    column('trace_id', 'text', 'The id that the source gave to the event.'),
    column('event_id', 'text', "The event's own event id, where the source sends one."),
    content('description'),
    content('assignment_id'),
    content('original_assignment_id'),
    content('xn_address'),
    content('carrier_id'),
    content('estimate_version'),
    content('note'),
    content('author'),
    content('sender_reviewer_name'),
    content('sender_reviewer_email'),
    content('carrier_reviewer_name'),
    content('carrier_reviewer_email'),
    content('event_datetime_mdt'),
    column('attachments', 'text', 'The texts of `data.attachments`, joined by commas.'),
    content('claim_number'),
    content('contact_type'),
    content('contact_name'),
    content('contact_phone_type'),
    content('contact_phone_number'),
    content('contact_phone_extension'),
    content('contact_email_address'),
    column('raw_json', 'text', 'The whole event as it came.'),
    processingTime('created_at', 'timestamp', 'When the row was made.'),
    processingTime('created_date', 'date', 'The date of `created_at`.'),
  ],
  partitionBy: ['event_date'],
  mode: 'insert_if_absent',
  key: ['trace_id'],
  preserveOnUpdate: [],
};

/** One row for each file that was stored. */
export const XACT_ATTACHMENTS: TableSchema = {
  name: 'xact_attachments',
  about: 'One row for each attachment that was stored.',
  columns: [
    column('media_id', 'text', 'The id of the attachment.'),
    column('trace_id', 'text', 'The event that named it.'),
    column('attachment_url', 'text', 'Where it was fetched from.'),
    column('blob_path', 'text', 'Where it is stored.'),
    column('file_type', 'text', 'Its extension in capitals.'),
    column('status_subtype', 'text', 'The subtype of its event.'),
    column('assignment_id', 'text', 'The assignment of its event.'),
    column('bytes_downloaded', 'int64', 'Its size in bytes.'),
    processingTime('downloaded_at', 'timestamp', 'When it had been stored.'),
    processingTime('created_at', 'timestamp', 'When the row was made.'),
    processingTime('event_date', 'date', 'The date of the row, not of the event.'),
  ],
  partitionBy: ['event_date'],
  mode: 'insert_if_absent',
  key: ['media_id'],
  preserveOnUpdate: [],
};

/** One row for each attachment that failed for good. */
export const XACT_ATTACHMENTS_FAILED: TableSchema = {
  name: 'xact_attachments_failed',
  about: 'One row for each attachment that could not be fetched or stored.',
  columns: [
    column('media_id', 'text', 'The id of the attachment.'),
    column('trace_id', 'text', 'The event that named it.'),
    column('attachment_url', 'text', 'Where it should have been fetched from.'),
    column('error_message', 'text', 'What went wrong.'),
    column('status', 'text', 'How the download ended.'),
    processingTime('failed_at', 'timestamp', 'When it failed for good.'),
    column('retry_count', 'int64', 'How often it was retried.'),
    column('http_status', 'int64', 'The HTTP status that came with the failure.'),
    processingTime('created_at', 'timestamp', 'When the row was made first.'),
  ],
  partitionBy: [],
  mode: 'merge',
  key: ['media_id'],
  preserveOnUpdate: ['created_at'],
};

/** All tables of the domain. */
export const XACT_TABLES: readonly TableSchema[] = [XACT_EVENTS, XACT_ATTACHMENTS, XACT_ATTACHMENTS_FAILED];

/** The row of `xact_attachments` for a result. */
export function attachmentRow(result: DownloadResult, now: Date): Row {
  return {
    media_id: result.media_id,
    trace_id: result.trace_id,
    attachment_url: result.attachment_url,
    blob_path: result.blob_path,
    file_type: result.file_type,
    status_subtype: result.status_subtype,
    assignment_id: result.assignment_id,
    bytes_downloaded: result.bytes_downloaded,
    downloaded_at: result.created_at,
    created_at: now,
    event_date: now.toISOString().slice(0, 10),
  };
}

/** The row of `xact_attachments_failed` for a result. */
export function failedAttachmentRow(result: DownloadResult, now: Date): Row {
  return {
    media_id: result.media_id,
    trace_id: result.trace_id,
    attachment_url: result.attachment_url,
    error_message: result.error_message || 'Unknown error',
    status: result.status,
    failed_at: result.created_at,
    retry_count: result.retry_count,
    http_status: result.http_status,
    created_at: now,
  };
}
