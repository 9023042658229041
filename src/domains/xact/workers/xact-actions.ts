import { identity, type Observable } from 'rxjs';
import { callEach } from '../../../../operators/index.js';
import { categoryOf } from '../../../diagnostics/index.js';
import { decode } from '../../../runtime/decode.js';
import type { Item } from '../../../runtime/item.js';
import { type OutboxCall, outboxCalls } from '../../../runtime/outbox-calls.js';
import { type OutboxPerformers, type OutboxRecord, outboxRecord, performOutbox } from '../../../runtime/plugin-actions.js';
import type { Settled } from '../../../runtime/worker.js';
import { checked, readJson } from '../../message-fields.js';
import { lanes, xactWorker, type XactWorkerOptions } from './shell.js';

export * from './mounting.js';

export interface XactActionsOptions extends Omit<XactWorkerOptions, 'chains' | 'perform'> {
  readonly performers: OutboxPerformers;
  /** Makes each call when its turn has come. Defaults to no more at once than `concurrency`. */
  readonly calls?: OutboxCall;
  /** Told of each action that was done, and how many milliseconds after its first attempt began. */
  readonly onDone?: (action: OutboxRecord, milliseconds: number) => void;
}

const NAME = 'xact-actions';

/** The most actions that wait for their turn at once: those that a rate or an open breaker holds back must not hold back the others. */
const MAX_WAITING = 10_000;

/**
 * Performs the actions of the outbox: webhooks and e-mails that plugins asked for. One that fails is retried after the delays of the domain and
 * dead-lettered at the end; plugins do not see these failures, since they would feed themselves. What waits for an open breaker when the worker
 * drains is given back. With `retryOrder` the actions of a plugin for one event are done one after the other, in the order in which they were asked for.
 */
export function xactActions(options: XactActionsOptions): Observable<Settled> {
  const { performers, concurrency, onDone, signal } = options;
  const { calls = outboxCalls({ concurrency, serviceOf: () => '' }) } = options;
  const signals = signal === undefined ? [] : [signal];
  return xactWorker(NAME, options, {
    withoutPlugins: true,
    describe: (message) => about(message as OutboxRecord),
    steps: (records$) =>
      records$.pipe(
        decode({ group: NAME, read: (bytes) => checked(outboxRecord, readJson(bytes), 'outbox record'), claims: options.claims }),
        options.retryOrder === undefined ? identity : lanes<Item<OutboxRecord>>(NAME, options, ({ message }) => orderKey(message)),
        callEach<Item<OutboxRecord>>(
          async ({ message }, delivery) => {
            let begunAt: number | undefined;
            const perform = (): ReturnType<typeof performOutbox> => {
              begunAt ??= performance.now();
              return performOutbox(message, performers);
            };
            try {
              await calls(message, perform, ...signals);
            } catch (error) {
              if (signal?.aborted === true && categoryOf(error) === 'circuit_open') delivery.settle('released', 'it waited for its turn');
              throw error;
            }
            const endedAt = performance.now();
            onDone?.(message, endedAt - (begunAt ?? endedAt));
          },
          { concurrency: MAX_WAITING, order: 'none' },
        ),
      ),
  });
}

/** The actions of one plugin for one event: what a service of another plugin does not take holds up nobody else. */
function orderKey({ plugin, context }: OutboxRecord): string {
  return `${plugin} ${context.event_id}`;
}

/** An action goes back to the event that it was asked for. */
function about({ id, plugin, action, context }: OutboxRecord): {
  readonly traceId: string;
  readonly about: Readonly<Record<string, unknown>>;
} {
  return { traceId: context.event_id, about: { trace_id: context.event_id, action_id: id, plugin, action: action.type } };
}
