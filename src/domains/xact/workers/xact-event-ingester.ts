import type { Observable } from 'rxjs';
import { type Delivery, filtered, perMessage, tapEach } from '../../../../operators/index.js';
import type { UrlPolicy } from '../../../http/url-policy.js';
import { PenstockError } from '../../../diagnostics/index.js';
import { redactText } from '../../../observe/redact.js';
import { BUILT_IN_FILTERS } from '../../../runtime/built-in-filters.js';
import { deadLetterRecord } from '../../../runtime/dead-letter.js';
import { decode } from '../../../runtime/decode.js';
import type { Item } from '../../../runtime/item.js';
import { comesBack } from '../../../runtime/retry-policy.js';
import { mark, send } from '../../../runtime/sink.js';
import { stage } from '../../../runtime/stage.js';
import type { Settled } from '../../../runtime/worker.js';
import type { LogRecord, Marks, NewRecord } from '../../../transport/transport.js';
import { readEvent, type XactEvent } from '../event.js';
import type { DownloadResult, EnrichmentTask } from '../messages.js';
import { contextOf } from '../stages.js';
import { type DownloadTasks, downloadTasksOf, enrichmentTaskOf } from '../tasks.js';
import { topicName, XACT } from '../topics.js';
import { amendItem, lanes, ownRecord, performOf, sinkOf, stageChains, xactWorker, type XactWorkerOptions } from './shell.js';

export * from './mounting.js';

/** The mark store in which ingested trace ids are remembered. */
export const INGESTED_MARKS = 'xact.ingested';

export interface XactEventIngesterOptions extends XactWorkerOptions {
  /** Which attachment URLs are allowed. */
  readonly urls: UrlPolicy;
  /** What was ingested a short while ago, by trace id. Without it every event counts as new. */
  readonly seen?: Marks;
  /** How long a trace id is remembered, in milliseconds. Defaults to 24 hours. */
  readonly dedupeWindowMs?: number;
}

const NAME = 'xact-event-ingester';

interface Enriched extends Item<EnrichmentTask> {
  readonly event: XactEvent;
}
interface Tasked extends Enriched {
  readonly made: DownloadTasks;
}

/**
 * Makes download tasks of raw events.
 *
 * An event that was ingested within the window is filtered as a duplicate, one without an assignment id as well; `event_ingest` runs before the
 * enrichment task is made of it, `enrichment_complete` after. A refused attachment URL becomes a permanent failure result and a dead letter; the
 * other attachments go on. The trace id is remembered with the tasks, in one commit.
 */
export function xactEventIngester(options: XactEventIngesterOptions): Observable<Settled> {
  const { seen, urls, dedupeWindowMs = 86_400_000 } = options;
  const chains = stageChains(options);
  const sink = sinkOf(options);
  const perform = performOf(options);
  return xactWorker(NAME, options, {
    steps: (records$) =>
      records$.pipe(
        decode({ group: NAME, read: readEvent, claims: options.claims }),
        lanes(NAME, options, (item) => item.message.traceId),
        perMessage<Item<XactEvent>>(() => (item, delivery) => {
          const duplicate = seen !== undefined && !comesBack(item.headers) && seen.has(item.message.traceId, Date.now());
          return duplicate ? filtered(BUILT_IN_FILTERS.duplicate) : delivery;
        }),
        stage({
          chain: chains['event_ingest'],
          perform,
          contextOf: (item) => contextOf('event_ingest', item.message, { worker: NAME, headers: item.headers }),
          amend: amendItem,
        }),
        perMessage<Item<XactEvent>, Enriched>(() => (item, delivery) => {
          const task = enrichmentTaskOf(item.message, new Date());
          if (task === undefined) return filtered(BUILT_IN_FILTERS.noAssignment);
          return delivery.with({
            record: item.record,
            headers: { ...item.headers, event_type: item.message.type },
            message: task,
            event: item.message,
          });
        }),
        stage<Enriched>({
          chain: chains['enrichment_complete'],
          perform,
          contextOf: (item) => contextOf('enrichment_complete', item.message, { worker: NAME, headers: item.headers }),
          amend: amendItem,
        }),
        perMessage<Enriched, Tasked>(
          () => (item, delivery) => delivery.with({ ...item, made: downloadTasksOf(item.message, { urls, now: new Date() }) }),
        ),
        send<Tasked>(sink, recordsOf),
        tapEach<Tasked>((item, delivery: Delivery<Tasked>) =>
          mark(delivery, INGESTED_MARKS, item.event.traceId, Date.now() + dedupeWindowMs),
        ),
      ),
  });
}

function recordsOf({ event, record, headers, made }: Tasked): readonly NewRecord[] {
  return [
    ...made.tasks.map((task) => ownRecord(topicName('xact.downloads_pending'), task, event.type, headers)),
    ...made.refused.flatMap((result) => [
      ownRecord(topicName('xact.downloads_results'), result, event.type, headers),
      refusedLetter(record, result),
    ]),
  ];
}

/** Its bytes are those of the whole event: a replay takes the event up again, once the URL is allowed. */
function refusedLetter(record: LogRecord, result: DownloadResult): NewRecord {
  return deadLetterRecord({
    topic: topicName('xact.dlq'),
    source: { kind: 'record', record },
    reason: 'url_refused',
    error: new PenstockError('PS4102', result.error_message ?? 'the URL is refused', { category: 'permanent' }),
    domain: XACT,
    worker: NAME,
    group: NAME,
    retryCount: 0,
    about: { trace_id: result.trace_id, media_id: result.media_id, attachment_url: result.attachment_url },
    now: new Date(),
    redact: redactText,
  });
}
