import { stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { Observable } from 'rxjs';
import { mapEach, tapEach } from '../../../../operators/index.js';
import { PenstockError } from '../../../diagnostics/index.js';
import { redactText } from '../../../observe/redact.js';
import { decode } from '../../../runtime/decode.js';
import type { Failing } from '../../../runtime/failure-route.js';
import type { Item } from '../../../runtime/item.js';
import { retryCountOf } from '../../../runtime/retry-policy.js';
import { send } from '../../../runtime/sink.js';
import { stage } from '../../../runtime/stage.js';
import type { Settled } from '../../../runtime/worker.js';
import type { BlobStore } from '../../../storage/blob/blob-store.js';
import type { NewRecord } from '../../../transport/transport.js';
import { checked, readJson } from '../../message-fields.js';
import { capErrorText } from '../../../runtime/error-text.js';
import { type CachedDownload, cachedDownload, type DownloadResult, type DownloadTask } from '../messages.js';
import { contextOf, eventTypeOf } from '../stages.js';
import { topicName } from '../topics.js';
import { removeLocal } from './local-file.js';
import { amendItem, lanes, ownRecord, performOf, sinkOf, stageChains, xactWorker, type XactWorkerOptions } from './shell.js';

export * from './mounting.js';

export interface XactUploadOptions extends XactWorkerOptions {
  readonly blobs: BlobStore;
  /** The folder that cached files lie in: a message that names a file elsewhere is refused. */
  readonly cacheDirectory: string;
}

const NAME = 'xact-upload';

/** How many uploads run at once, unless the options say otherwise. */
const CONCURRENCY = 25;

/** A file that keeps vanishing from the cache is downloaded again so often. */
const MOST_FETCHES = 3;

interface Uploaded extends Item<DownloadResult> {
  readonly localPath: string;
}

/**
 * Stores cached files under their blob path and tells the result. Storing again replaces, and a file that was stored by an earlier attempt counts as
 * stored; the local copy goes when the result is durable. What cannot be stored is retried, and is a permanent failure result at the end. A file that
 * is not in the cache any more, or not whole, is downloaded again.
 */
export function xactUpload(options: XactUploadOptions): Observable<Settled> {
  const { blobs, cacheDirectory, concurrency = CONCURRENCY } = options;
  const chains = stageChains(options);
  const sink = sinkOf(options);
  const base = resolve(cacheDirectory) + sep;
  return xactWorker(NAME, options, {
    steps: (records$) =>
      records$.pipe(
        decode({
          group: NAME,
          read: (bytes) => checked(cachedDownload, readJson(bytes), 'cached download'),
          claims: options.claims,
        }),
        lanes(NAME, options, (item) => item.message.media_id),
        mapEach<Item<CachedDownload>, Uploaded>(
          async (item, delivery) => {
            const cached = item.message;
            const localPath = resolve(cached.local_cache_path);
            if (!localPath.startsWith(base)) {
              throw new PenstockError('PS4111', 'the cached file lies outside the cache', { category: 'permanent' });
            }
            if (!(await store(blobs, cached, localPath))) {
              await sink(downloadAgain(cached, item.headers), delivery);
              delivery.settle('delivered', 'the cached file is gone: it is downloaded again');
            }
            return { ...item, message: resultOf(cached, { status: 'completed', error: null }), localPath };
          },
          { concurrency, order: 'none' },
        ),
        tapEach<Uploaded>((item, delivery) =>
          delivery.whenSettled((outcome) => {
            if (outcome === 'delivered' || outcome === 'filtered') removeLocal(item.localPath);
          }),
        ),
        stage<Uploaded>({
          chain: chains['upload_complete'],
          perform: performOf(options),
          contextOf: (item) => contextOf('upload_complete', item.message, { worker: NAME, headers: item.headers }),
          amend: amendItem,
        }),
        send<Uploaded>(sink, (item) => [
          ownRecord(topicName('xact.downloads_results'), item.message, eventTypeOf(item.message, item.headers), item.headers),
        ]),
      ),
    recordsOf: failureResults,
  });
}

/**
 * Whether the file is stored now: false when the cache has not the file that was downloaded, and nobody stored it before. A file of another size was
 * cut by a crash of the machine, or written by somebody else. The cache writes no finished file again, it replaces it.
 */
async function store(blobs: BlobStore, cached: CachedDownload, localPath: string): Promise<boolean> {
  const contentType = cached.content_type === null ? {} : { contentType: cached.content_type };
  if ((await sizeOf(localPath)) === cached.bytes_downloaded) {
    try {
      await blobs.putFile(cached.destination_path, localPath, { ...contentType, frozen: true });
      return true;
    } catch (error) {
      if ((await sizeOf(localPath)) !== undefined) throw error;
    }
  }
  return (await blobs.head(cached.destination_path))?.bytes === cached.bytes_downloaded;
}

/** Nothing when there is no such file. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new PenstockError('PS4107', 'the cached file cannot be looked at', { category: 'transient', cause });
  }
}

/** The task that a cached file came of; throws when it was asked for too often. */
function downloadAgain(cached: CachedDownload, headers: Readonly<Record<string, string>>): NewRecord {
  const { trace_id, media_id, attachment_url, status_subtype, file_type, assignment_id, event_type, event_subtype, original_timestamp } =
    cached;
  const { http_status: _status, retry_count: retries, fetched_again: before, ...metadata } = cached.metadata;
  const times = typeof before === 'number' ? before + 1 : 1;
  if (times > MOST_FETCHES) {
    throw new PenstockError('PS4107', `the cached file is gone again, after ${MOST_FETCHES} more downloads`, { category: 'permanent' });
  }
  const task: DownloadTask = {
    trace_id,
    media_id,
    attachment_url,
    blob_path: cached.destination_path,
    status_subtype,
    file_type,
    assignment_id,
    estimate_version: null,
    retry_count: typeof retries === 'number' ? retries : 0,
    event_type,
    event_subtype,
    original_timestamp,
    metadata: { ...metadata, fetched_again: times },
  };
  return ownRecord(topicName('xact.downloads_pending'), task, eventTypeOf(task, headers), headers);
}

function resultOf(
  cached: CachedDownload,
  { status, error }: { readonly status: DownloadResult['status']; readonly error: string | null },
): DownloadResult {
  const { http_status: httpStatus, retry_count: retryCount } = cached.metadata;
  return {
    trace_id: cached.trace_id,
    media_id: cached.media_id,
    attachment_url: cached.attachment_url,
    blob_path: cached.destination_path,
    status_subtype: cached.status_subtype,
    file_type: cached.file_type,
    assignment_id: cached.assignment_id,
    status,
    http_status: typeof httpStatus === 'number' ? httpStatus : null,
    bytes_downloaded: cached.bytes_downloaded,
    retry_count: typeof retryCount === 'number' ? retryCount : 0,
    error_message: error === null ? null : capErrorText(error),
    created_at: new Date().toISOString(),
    expires_at: null,
    expired_at_ingest: null,
  };
}

/** At the end of the retries a permanent failure result; before that the retry itself says enough. */
function failureResults(failing: Failing): readonly NewRecord[] {
  if (failing.decision.action === 'retry' || failing.record.value === null || failing.message === null) return [];
  const parsed = cachedDownload.safeParse(JSON.parse(failing.record.value.toString('utf8')));
  if (!parsed.success) return [];
  const error = redactText(failing.error instanceof Error ? failing.error.message : String(failing.error));
  const result = { ...resultOf(parsed.data, { status: 'failed_permanent', error }), retry_count: retryCountOf(failing.headers) };
  return [ownRecord(topicName('xact.downloads_results'), result, eventTypeOf(result, failing.headers), failing.headers)];
}
