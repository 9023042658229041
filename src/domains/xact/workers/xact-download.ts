import { setMaxListeners } from 'node:events';
import { defer, finalize, type Observable } from 'rxjs';
import { mapEach } from '../../../../operators/index.js';
import { categoryOf, PenstockError } from '../../../diagnostics/index.js';
import type { Download, Downloaded } from '../../../http/downloader.js';
import { redactText } from '../../../observe/redact.js';
import { decode } from '../../../runtime/decode.js';
import type { Failing } from '../../../runtime/failure-route.js';
import type { Item } from '../../../runtime/item.js';
import { send } from '../../../runtime/sink.js';
import { stage } from '../../../runtime/stage.js';
import type { Settled } from '../../../runtime/worker.js';
import type { NewRecord } from '../../../transport/transport.js';
import { checked, readJson } from '../../message-fields.js';
import { type CachedDownload, type DownloadTask, downloadTask } from '../messages.js';
import { contextOf, eventTypeOf } from '../stages.js';
import { failureResultOf, retriedTask } from '../tasks.js';
import { topicName } from '../topics.js';
import { removeLocal } from './local-file.js';
import { amendItem, lanes, ownRecord, performOf, sinkOf, stageChains, xactWorker, type XactWorkerOptions } from './shell.js';

export * from './mounting.js';

export interface XactDownloadOptions extends XactWorkerOptions {
  /** Fetches a file to the local cache. */
  readonly download: Download;
}

const NAME = 'xact-download';

/** How many downloads run at once, unless the options say otherwise. */
const CONCURRENCY = 50;

/**
 * Fetches the attachments that tasks name and passes them on as cached files. Each failed attempt is told as a result, with the HTTP status where one
 * is known: `failed` while retries are left, `failed_permanent` at the end. A file whose delivery does not go on is removed.
 */
export function xactDownload(options: XactDownloadOptions): Observable<Settled> {
  const { download, concurrency = CONCURRENCY } = options;
  const chains = stageChains(options);
  const sink = sinkOf(options);
  const perform = performOf(options);
  return xactWorker(NAME, options, {
    steps: (records$) =>
      whileSubscribed((signal) =>
        records$.pipe(
          decode({ group: NAME, read: (bytes) => checked(downloadTask, readJson(bytes), 'download task'), claims: options.claims }),
          lanes(NAME, options, (item) => item.message.media_id),
          stage({
            chain: chains['download_queued'],
            perform,
            contextOf: (item) => contextOf('download_queued', item.message, { worker: NAME, headers: item.headers }),
            amend: amendItem,
          }),
          mapEach<Item<DownloadTask>, Item<CachedDownload>>(
            async (item, delivery) => {
              const task = item.message;
              const request = {
                url: task.attachment_url,
                id: task.media_id,
                extension: extensionOf(task.file_type),
                attempt: task.retry_count,
              };
              const downloaded = await download(request, signal).catch((error: unknown) => {
                // An open circuit is no attempt: who waited for it when the worker drains is given back.
                if (options.signal?.aborted && categoryOf(error) === 'circuit_open') delivery.settle('released', 'the circuit is open');
                throw error;
              });
              delivery.whenSettled((outcome) => {
                if (outcome !== 'delivered' && outcome !== 'released') removeLocal(downloaded.path);
              });
              return { ...item, message: cachedOf(task, downloaded) };
            },
            { concurrency, order: 'none' },
          ),
          stage({
            chain: chains['download_complete'],
            perform,
            contextOf: (item) => contextOf('download_complete', item.message, { worker: NAME, headers: item.headers }),
            amend: amendItem,
          }),
          send(sink, (item) => [
            ownRecord(topicName('xact.downloads_cached'), item.message, eventTypeOf(item.message, item.headers), item.headers),
          ]),
        ),
      ),
    recordsOf: (failing) => failureResults(failing),
    retriedValue: (failing, dueAt) => {
      const task = taskOf(failing);
      if (task === undefined) return failing.record.value;
      const error = redactText(failing.error instanceof Error ? failing.error.message : String(failing.error));
      return JSON.stringify(retriedTask(task, { error, category: failing.category, dueAt }));
    },
  });
}

/** Ends what the pipe has begun when somebody leaves it. */
function whileSubscribed<T>(make: (signal: AbortSignal) => Observable<T>): Observable<T> {
  return defer(() => {
    const left = new AbortController();
    setMaxListeners(0, left.signal); // one for each download that is out
    return make(left.signal).pipe(finalize(() => left.abort()));
  });
}

function extensionOf(fileType: string): string {
  return fileType === 'UNKNOWN' ? '' : fileType.toLowerCase();
}

function cachedOf(task: DownloadTask, { path, bytes, contentType, httpStatus }: Downloaded): CachedDownload {
  return {
    trace_id: task.trace_id,
    media_id: task.media_id,
    attachment_url: task.attachment_url,
    destination_path: task.blob_path,
    local_cache_path: path,
    bytes_downloaded: bytes,
    content_type: contentType ?? null,
    event_type: task.event_type,
    event_subtype: task.event_subtype,
    status_subtype: task.status_subtype,
    file_type: task.file_type,
    assignment_id: task.assignment_id,
    original_timestamp: task.original_timestamp,
    downloaded_at: new Date().toISOString(),
    metadata: { ...task.metadata, http_status: httpStatus, retry_count: task.retry_count },
  };
}

/** The task behind a failure; none when the record could not be read, or when what failed came after the download. */
function taskOf(failing: Failing): DownloadTask | undefined {
  const parsed =
    failing.record.value === null || failing.message === null
      ? undefined
      : downloadTask.safeParse(JSON.parse(failing.record.value.toString('utf8')));
  return parsed?.success === true ? parsed.data : undefined;
}

function failureResults(failing: Failing): readonly NewRecord[] {
  const task = taskOf(failing);
  if (task === undefined) return [];
  const { error, decision } = failing;
  const failure = {
    message: redactText(error instanceof Error ? error.message : String(error)),
    httpStatus: error instanceof PenstockError ? (error.httpStatus ?? null) : null,
  };
  const told = decision.action === 'retry' ? decision : { action: 'dead_letter' as const, reason: 'permanent' as const };
  const result = failureResultOf(task, failure, told, new Date());
  return result === undefined
    ? []
    : [ownRecord(topicName('xact.downloads_results'), result, eventTypeOf(task, failing.headers), failing.headers)];
}
