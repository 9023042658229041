import { identity, type Observable } from 'rxjs';
import { perMessage } from '../../../../operators/index.js';
import { decode } from '../../../runtime/decode.js';
import type { Item } from '../../../runtime/item.js';
import { stage } from '../../../runtime/stage.js';
import type { RowFor, RowSink } from '../../../runtime/table-rows.js';
import type { Settled } from '../../../runtime/worker.js';
import { parseEvent, type XactEvent } from '../event.js';
import { flattenEvent } from '../flatten.js';
import { mayBeInexact, parseExactly } from '../../exact-json.js';
import { readJson } from '../../message-fields.js';
import { contextOf } from '../stages.js';
import { XACT_EVENTS } from '../tables.js';
import { amendItem, performOf, stageChains, writeLanes, xactWorker, type XactWorkerOptions } from './shell.js';

export * from './mounting.js';

export interface XactDeltaEventsOptions extends XactWorkerOptions {
  readonly rows: RowSink;
  /** What plugins at `delta_write` are told of the batch. */
  readonly batchSize?: number;
  readonly tablePath?: string;
  /** Runs the plugins of `event_ingest` here too. Defaults to false, since the ingester runs them: a webhook would be sent twice. */
  readonly runEventIngest?: boolean;
}

const NAME = 'xact-delta-events';

/** An event with what its row is made of: the content as it came, or as a plugin amended it. */
interface RawEvent extends Item<XactEvent> {
  readonly raw: unknown;
  readonly text: string;
}
interface EventRow extends RawEvent, RowFor {}

/** Writes a row of `xact_events` for each raw event; one that came before is absorbed by its trace id. A row that cannot be written is its own failure. */
export function xactDeltaEvents(options: XactDeltaEventsOptions): Observable<Settled> {
  const { rows, batchSize = 1, tablePath = XACT_EVENTS.name } = options;
  const chains = stageChains(options);
  const perform = performOf(options);
  return xactWorker(NAME, options, {
    steps: (records$) =>
      records$.pipe(
        rows.track(),
        decode({ group: NAME, read: readRaw, claims: options.claims }),
        perMessage<Item<Read>, RawEvent>(
          () =>
            ({ record, headers, message: { raw, text, event } }, delivery) =>
              delivery.with({ record, headers, message: event, raw, text }),
        ),
        // Else copies of an event may be in one commit: the table keeps the first.
        options.retryOrder === undefined ? identity : writeLanes<RawEvent>(NAME, options, (item) => item.message.traceId),
        options.runEventIngest === true
          ? stage<RawEvent>({
              chain: chains['event_ingest'],
              perform,
              contextOf: (item) => contextOf('event_ingest', item.message, { worker: NAME, headers: item.headers }),
              amend: amendEvent,
            })
          : identity,
        stage<RawEvent>({
          chain: chains['delta_write'],
          perform,
          contextOf: (item) =>
            contextOf('delta_write', item.message, {
              worker: NAME,
              headers: item.headers,
              data: { batch_size: batchSize, table_path: tablePath },
            }),
          amend: amendEvent,
        }),
        perMessage<RawEvent, EventRow>(() => (item, delivery) => {
          const row = flattenEvent(item.raw, { now: new Date(), text: item.text });
          return delivery.with({ ...item, table: XACT_EVENTS.name, row });
        }),
        rows.write(),
      ),
  });
}

function amendEvent(item: RawEvent, message: unknown): RawEvent {
  return { ...amendItem(item, message), raw: message, text: JSON.stringify(message) };
}

interface Read {
  readonly raw: unknown;
  readonly text: string;
  readonly event: XactEvent;
}

function readRaw(bytes: Buffer): Read {
  const parsed = readJson(bytes);
  const text = bytes.toString('utf8');
  return { raw: mayBeInexact(text) ? parseExactly(text) : parsed, text, event: parseEvent(parsed) };
}
