import type { Category } from '../../diagnostics/index.js';
import { validateUrl, type UrlPolicy } from '../../http/url-policy.js';
import { capErrorText } from '../../runtime/error-text.js';
import { instantOf, toUtc } from '../../runtime/instant.js';
import type { RetryDecision } from '../../runtime/retry-policy.js';
import { checked } from '../message-fields.js';
import { blobPathOf, markedPath } from './blob-path.js';
import { factsOf, type XactEvent } from './event.js';
import { eventId, mediaId } from './ids.js';
import { enrichmentTask, type DownloadResult, type DownloadTask, type EnrichmentTask } from './messages.js';
import { XACT } from './topics.js';

/** The header in which the full type of an event travels with its tasks and results. */
export const EVENT_TYPE_HEADER = 'event_type';

/** The most characters of a refused URL that are recorded. */
const RECORDED_URL = 8192;

/**
 * The enrichment task of an event; none when the event has no assignment. Throws a `PenstockError` (PS4101, permanent) when the event's time or an
 * id of it is unusable.
 */
export function enrichmentTaskOf(event: XactEvent, now: Date): EnrichmentTask | undefined {
  const facts = factsOf(event);
  const assignment = facts.assignment_id;
  if (assignment === null || (typeof assignment === 'string' && assignment.trim() === '')) return undefined;
  const task: Record<keyof EnrichmentTask, unknown> = {
    event_id: eventId(event.traceId),
    trace_id: event.traceId,
    event_type: XACT,
    status_subtype: facts.status_subtype,
    assignment_id: assignment,
    estimate_version: facts.estimate_version,
    attachments: facts.attachments ?? [],
    retry_count: 0,
    created_at: instantOf(now),
    original_timestamp: toUtc(event.utcDateTime) ?? event.utcDateTime,
    metadata: null,
  };
  return checked(enrichmentTask, task, 'XACT event');
}

export interface DownloadTasks {
  readonly tasks: readonly DownloadTask[];
  /** A record of permanent failure for each attachment whose URL is refused. */
  readonly refused: readonly DownloadResult[];
}

/**
 * One download task for each attachment whose URL is allowed, a record of permanent failure for each other. A URL that an event names twice is one
 * attachment. When two attachments would be stored at one path, the later gets the first eight digits of its media id into its name.
 */
export function downloadTasksOf(task: EnrichmentTask, { urls, now }: { readonly urls: UrlPolicy; readonly now: Date }): DownloadTasks {
  const tasks: DownloadTask[] = [];
  const refused: DownloadResult[] = [];
  const taken = new Set<string>();
  for (const url of new Set(task.attachments)) {
    const verdict = validateUrl(url.trim(), urls);
    const media = mediaId(task.trace_id, url);
    const { path, fileType } = blobPathOf({
      statusSubtype: task.status_subtype,
      traceId: task.trace_id,
      assignmentId: task.assignment_id,
      downloadUrl: url.trim(),
      estimateVersion: task.estimate_version,
    });
    const shared = {
      trace_id: task.trace_id,
      media_id: media,
      status_subtype: task.status_subtype,
      file_type: fileType,
      assignment_id: task.assignment_id,
      retry_count: 0,
    };
    if (!verdict.accepted) {
      refused.push({
        ...shared,
        attachment_url: url.trim() === '' ? JSON.stringify(url) : url.trim().slice(0, RECORDED_URL),
        blob_path: path,
        status: 'failed_permanent',
        http_status: null,
        bytes_downloaded: 0,
        error_message: `the URL is refused: ${verdict.reason}`,
        created_at: instantOf(now),
        expires_at: null,
        expired_at_ingest: null,
      });
      continue;
    }
    const free = freePath(path, media, taken);
    taken.add(free);
    tasks.push({
      ...shared,
      attachment_url: url.trim(),
      blob_path: free,
      estimate_version: task.estimate_version,
      event_type: XACT,
      event_subtype: task.status_subtype,
      original_timestamp: task.original_timestamp,
      metadata: {},
    });
  }
  return { tasks, refused };
}

/** The path itself, or with the first eight digits of the media id, or, should even that be taken, with all of it. */
function freePath(path: string, media: string, taken: ReadonlySet<string>): string {
  if (!taken.has(path)) return path;
  const marked = markedPath(path, media.slice(0, 8));
  return taken.has(marked) ? markedPath(path, media) : marked;
}

/** What is known of a failed download. */
export interface DownloadFailure {
  readonly message: string | null;
  readonly httpStatus: number | null;
}

/**
 * The result that tells of a failed download: `failed` while retries are left, `failed_permanent` when there are none. None when the failure was no
 * attempt. The HTTP status is on it wherever it is known.
 */
export function failureResultOf(
  task: DownloadTask,
  failure: DownloadFailure,
  decision: RetryDecision,
  now: Date,
): DownloadResult | undefined {
  if (decision.action === 'hold') return undefined;
  return {
    trace_id: task.trace_id,
    media_id: task.media_id,
    attachment_url: task.attachment_url,
    blob_path: task.blob_path,
    status_subtype: task.status_subtype,
    file_type: task.file_type,
    assignment_id: task.assignment_id,
    status: decision.action === 'retry' ? 'failed' : 'failed_permanent',
    http_status: failure.httpStatus,
    bytes_downloaded: 0,
    retry_count: task.retry_count,
    error_message: failure.message === null ? null : capErrorText(failure.message),
    created_at: instantOf(now),
    expires_at: null,
    expired_at_ingest: null,
  };
}

/** A task as it goes to a retry topic: counted, and with what happened in its metadata. */
export function retriedTask<T extends { readonly retry_count: number; readonly metadata: Readonly<Record<string, unknown>> | null }>(
  task: T,
  retry: { readonly error: string; readonly category: Category; readonly dueAt: Date },
): T {
  return {
    ...task,
    retry_count: task.retry_count + 1,
    metadata: {
      ...task.metadata,
      last_error: capErrorText(retry.error),
      error_category: retry.category,
      retry_at: instantOf(retry.dueAt),
    },
  };
}
