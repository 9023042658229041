import type { z } from 'zod';
import type { Context } from '../../plugin/index.js';
import { ownHeaders, retryCountOf } from '../../runtime/retry-policy.js';
import { factsOf, xactEvent, type XactEvent } from './event.js';
import {
  cachedDownload,
  downloadResult,
  downloadTask,
  enrichmentTask,
  type CachedDownload,
  type DownloadResult,
  type DownloadTask,
  type EnrichmentTask,
} from './messages.js';
import { EVENT_TYPE_HEADER } from './tasks.js';
import { XACT } from './topics.js';

/** What a plugin reads in `data` where an event or its enrichment task is the message. */
export type EventData = {
  readonly attachments: readonly string[];
  readonly assignment_id: string | null;
  readonly trace_id: string;
  readonly status_subtype: string;
  readonly estimate_version: string | null;
  readonly attachment_count: number;
};

/** What a plugin reads in `data` around a download; what is not known before it, is null. */
export type DownloadData = {
  readonly media_id: string;
  readonly attachment_url: string;
  readonly file_type: string;
  readonly blob_path: string;
  readonly bytes_downloaded: number | null;
  readonly content_type: string | null;
};

export type UploadData = {
  readonly media_id: string;
  readonly blob_path: string;
  readonly bytes_uploaded: number;
};

export type DeltaWriteData = {
  readonly batch_size: number;
  readonly table_path: string;
};

export type ErrorData = {
  readonly error_category: string;
  readonly retry_count: number;
  /** On the failure that opened a breaker. */
  readonly circuit?: 'opened';
};

export type RetryData = {
  readonly delay_seconds: number;
  readonly retry_topic: string;
};

export type DeadLetterData = {
  readonly reason: string;
};

/** A message of any stage; null when the record could not be read. */
export type AnyXactMessage = XactEvent | EnrichmentTask | DownloadTask | CachedDownload | DownloadResult | null;

/** Message and data of each stage of the domain. */
export interface XactStages {
  event_ingest: { message: XactEvent; data: EventData };
  enrichment_complete: { message: EnrichmentTask; data: EventData };
  download_queued: { message: DownloadTask; data: DownloadData };
  download_complete: { message: CachedDownload; data: DownloadData };
  upload_complete: { message: DownloadResult; data: UploadData };
  result_process: { message: DownloadResult; data: UploadData };
  delta_write: { message: XactEvent; data: DeltaWriteData };
  error: { message: AnyXactMessage; data: ErrorData };
  retry: { message: AnyXactMessage; data: RetryData };
  dlq: { message: AnyXactMessage; data: DeadLetterData };
}

declare module '../../plugin/index.js' {
  interface Stages {
    'xact/event_ingest': XactStages['event_ingest'];
    'xact/enrichment_complete': XactStages['enrichment_complete'];
    'xact/download_queued': XactStages['download_queued'];
    'xact/download_complete': XactStages['download_complete'];
    'xact/upload_complete': XactStages['upload_complete'];
    'xact/result_process': XactStages['result_process'];
    'xact/delta_write': XactStages['delta_write'];
    'xact/error': XactStages['error'];
    'xact/retry': XactStages['retry'];
    'xact/dlq': XactStages['dlq'];
  }
}

export type XactStage = keyof XactStages;

/** The stages of the domain in the order of a delivery's walk; the last three observe what went wrong. */
export const XACT_STAGES: readonly XactStage[] = [
  'event_ingest',
  'enrichment_complete',
  'download_queued',
  'download_complete',
  'upload_complete',
  'result_process',
  'delta_write',
  'error',
  'retry',
  'dlq',
];

/** What a message of a stage must be: an amended one is checked against it. None where messages of every kind come by. */
export const STAGE_SCHEMAS: Readonly<Record<XactStage, z.ZodType | undefined>> = {
  event_ingest: xactEvent,
  enrichment_complete: enrichmentTask,
  download_queued: downloadTask,
  download_complete: cachedDownload,
  upload_complete: downloadResult,
  result_process: downloadResult,
  delta_write: xactEvent,
  error: undefined,
  retry: undefined,
  dlq: undefined,
};

/** What a context needs beside its message. */
export interface StageExtras<S extends XactStage> {
  readonly worker?: string | undefined;
  /** The record's headers; those of the retry scheme are left out of the context. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly timestamp?: Date | undefined;
  readonly error?: unknown;
  /** Only where the message does not hold it itself. */
  readonly data?: Partial<XactStages[S]['data']> | undefined;
}

type DataOf = { readonly [S in XactStage]: (message: XactStages[S]['message']) => Readonly<Record<string, unknown>> };

const DATA: DataOf = {
  event_ingest: (event): EventData => {
    const facts = factsOf(event);
    return {
      attachments: facts.attachments ?? [],
      assignment_id: textOrNull(facts.assignment_id),
      trace_id: event.traceId,
      status_subtype: facts.status_subtype,
      estimate_version: textOrNull(facts.estimate_version),
      attachment_count: facts.attachments?.length ?? 0,
    };
  },
  enrichment_complete: (task): EventData => ({
    attachments: task.attachments,
    assignment_id: task.assignment_id,
    trace_id: task.trace_id,
    status_subtype: task.status_subtype,
    estimate_version: task.estimate_version,
    attachment_count: task.attachments.length,
  }),
  download_queued: (task): DownloadData => ({
    media_id: task.media_id,
    attachment_url: task.attachment_url,
    file_type: task.file_type,
    blob_path: task.blob_path,
    bytes_downloaded: null,
    content_type: null,
  }),
  download_complete: (cached): DownloadData => ({
    media_id: cached.media_id,
    attachment_url: cached.attachment_url,
    file_type: cached.file_type,
    blob_path: cached.destination_path,
    bytes_downloaded: cached.bytes_downloaded,
    content_type: cached.content_type,
  }),
  upload_complete: uploadData,
  result_process: uploadData,
  delta_write: () => ({}),
  error: () => ({}),
  retry: () => ({}),
  dlq: () => ({}),
};

function uploadData(result: DownloadResult): UploadData {
  return { media_id: result.media_id, blob_path: result.blob_path, bytes_uploaded: result.bytes_downloaded };
}

function textOrNull(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What a plugin sees of a message at a stage of the domain. */
export function contextOf<S extends XactStage>(
  stage: S,
  message: XactStages[S]['message'],
  { worker, headers = {}, timestamp = new Date(), error, data }: StageExtras<S> = {},
): Context<XactStages[S]['message'], XactStages[S]['data']> {
  const build = DATA[stage] as (message: XactStages[S]['message']) => Readonly<Record<string, unknown>>;
  return {
    domain: XACT,
    stage,
    worker,
    message,
    event_id: traceIdOf(message),
    event_type: eventTypeOf(message, headers),
    project_id: null,
    data: { ...build(message), ...data } as XactStages[S]['data'],
    headers: ownHeaders(headers),
    error,
    retry_count: message !== null && 'retry_count' in message ? message.retry_count : retryCountOf(headers),
    timestamp,
  };
}

/** The trace id of any message of the domain; empty when it could not be read. */
export function traceIdOf(message: AnyXactMessage): string {
  if (message === null) return '';
  return 'traceId' in message ? message.traceId : message.trace_id;
}

/** The full type of the event that a message goes back to: its own, else the one that travels in the header. */
export function eventTypeOf(message: AnyXactMessage, headers: Readonly<Record<string, string>>): string | null {
  if (message !== null && 'traceId' in message) return message.type;
  return headers[EVENT_TYPE_HEADER] ?? null;
}
