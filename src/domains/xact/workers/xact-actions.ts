import type { Observable } from 'rxjs';
import { callEach } from '../../../../operators/index.js';
import { decode } from '../../../runtime/decode.js';
import type { Item } from '../../../runtime/item.js';
import { type OutboxPerformers, type OutboxRecord, outboxRecord, performOutbox } from '../../../runtime/plugin-actions.js';
import type { Settled } from '../../../runtime/worker.js';
import { checked, readJson } from '../../message-fields.js';
import { xactWorker, type XactWorkerOptions } from './shell.js';

export * from './mounting.js';

export interface XactActionsOptions extends Omit<XactWorkerOptions, 'chains' | 'perform'> {
  readonly performers: OutboxPerformers;
  /** Told of each action that was done. */
  readonly onDone?: (action: OutboxRecord) => void;
}

const NAME = 'xact-actions';

/**
 * Performs the actions of the outbox: webhooks and e-mails that plugins asked for. One that fails is retried after the delays of the domain and
 * dead-lettered at the end; plugins do not see these failures, since they would feed themselves.
 */
export function xactActions(options: XactActionsOptions): Observable<Settled> {
  const { performers, concurrency = 16, onDone } = options;
  return xactWorker(NAME, options, {
    withoutPlugins: true,
    describe: (message) => about(message as OutboxRecord),
    steps: (records$) =>
      records$.pipe(
        decode({ group: NAME, read: (bytes) => checked(outboxRecord, readJson(bytes), 'outbox record'), claims: options.claims }),
        callEach<Item<OutboxRecord>>(
          async ({ message }) => {
            await performOutbox(message, performers);
            onDone?.(message);
          },
          { concurrency, order: 'none' },
        ),
      ),
  });
}

/** An action goes back to the event that it was asked for. */
function about({ id, plugin, action, context }: OutboxRecord): {
  readonly traceId: string;
  readonly about: Readonly<Record<string, unknown>>;
} {
  return { traceId: context.event_id, about: { trace_id: context.event_id, action_id: id, plugin, action: action.type } };
}
