import type { Observable } from 'rxjs';
import { filtered, perMessage } from '../../../../operators/index.js';
import { BUILT_IN_FILTERS } from '../../../runtime/built-in-filters.js';
import { decode } from '../../../runtime/decode.js';
import type { Item } from '../../../runtime/item.js';
import { stage } from '../../../runtime/stage.js';
import type { RowFor, RowSink } from '../../../runtime/table-rows.js';
import type { Settled } from '../../../runtime/worker.js';
import { checked, readJson } from '../../message-fields.js';
import { type DownloadResult, downloadResult } from '../messages.js';
import { contextOf } from '../stages.js';
import { attachmentRow, failedAttachmentRow, XACT_ATTACHMENTS, XACT_ATTACHMENTS_FAILED } from '../tables.js';
import { amendItem, performOf, stageChains, writeLanes, xactWorker, type XactWorkerOptions } from './shell.js';

export * from './mounting.js';

export type { DownloadResult } from '../messages.js';

export interface XactResultProcessorOptions extends XactWorkerOptions {
  readonly rows: RowSink;
}

const NAME = 'xact-result-processor';

interface ResultRow extends Item<DownloadResult>, RowFor {}

/**
 * Writes results to their tables: what was stored to `xact_attachments`, what failed for good to `xact_attachments_failed`. Plugins at
 * `result_process` see every result first; one of a download that is still being retried is filtered after them.
 */
export function xactResultProcessor(options: XactResultProcessorOptions): Observable<Settled> {
  const { rows } = options;
  const chains = stageChains(options);
  return xactWorker(NAME, options, {
    steps: (records$) =>
      records$.pipe(
        rows.track(),
        decode({
          group: NAME,
          read: (bytes) => checked(downloadResult, readJson(bytes), 'download result'),
          claims: options.claims,
        }),
        writeLanes(NAME, options, (item) => item.message.media_id),
        stage({
          chain: chains['result_process'],
          perform: performOf(options),
          contextOf: (item) => contextOf('result_process', item.message, { worker: NAME, headers: item.headers }),
          amend: amendItem,
        }),
        perMessage<Item<DownloadResult>, ResultRow>(() => (item, delivery) => {
          const result = item.message;
          if (result.status === 'failed') return filtered(BUILT_IN_FILTERS.stillRetried);
          const now = new Date();
          return delivery.with(
            result.status === 'completed'
              ? { ...item, table: XACT_ATTACHMENTS.name, row: attachmentRow(result, now) }
              : { ...item, table: XACT_ATTACHMENTS_FAILED.name, row: failedAttachmentRow(result, now) },
          );
        }),
        rows.write(),
      ),
  });
}
