import { z } from 'zod';
import type { Delivery } from '../../operators/index.js';
import {
  type Action,
  type Context,
  type EmailAction,
  type Perform,
  type PerformActionsOptions,
  performActions,
  type PlannedAction,
  PluginContext,
  type PublishAction,
  type WebhookAction,
} from '../plugin/index.js';
import type { LogRecord, NewRecord } from '../transport/transport.js';
import type { ClaimChecks } from './claim-check.js';
import { deadLetterRecord } from './dead-letter.js';
import { recordOf, textHeaders } from './item.js';
import { doneActionsOf } from './retry-policy.js';
import { type Sealing, sealing } from './sealing.js';
import { beforeContext, type Performing } from './stage.js';

/** What of a context travels with an action that somebody else performs later. */
const outboxContext = z.object({
  domain: z.string(),
  stage: z.string(),
  worker: z.string().optional(),
  event_id: z.string(),
  event_type: z.string().nullable(),
  project_id: z.string().nullable(),
  retry_count: z.int(),
  timestamp: z.string(),
});

/** A record of the outbox: an action, and enough of its context to perform and to explain it. Names of connections, never secrets. */
export const outboxRecord = z.object({
  id: z.string(),
  plugin: z.string(),
  action: z.looseObject({ type: z.enum(['http_webhook', 'send_email', 'publish_to_topic']), params: z.record(z.string(), z.unknown()) }),
  context: outboxContext,
  /** Variables whose values belong into the action when it is performed. */
  sealed: z.array(z.string()).optional(),
});
export type OutboxRecord = z.output<typeof outboxRecord>;

export interface PluginActionsOptions
  extends Pick<PerformActionsOptions, 'webhook' | 'email' | 'log' | 'metric' | 'concurrency' | 'retry' | 'policyOf' | 'random'> {
  readonly domain: string;
  readonly worker: string;
  /** Writes records of plugins; resolves when they are durable. */
  readonly produce: (records: readonly NewRecord[]) => Promise<unknown>;
  readonly outboxTopic: string;
  readonly deadLetterTopic: string;
  /** Where values lie that are too large to travel; without it every record travels as it is. */
  readonly claims?: ClaimChecks | undefined;
  /** Keeps secrets out of what is stored. Without it actions are stored as they were asked for. */
  readonly sealing?: Sealing | undefined;
  readonly redact?: (text: string) => string;
  /** Told of each action that was done, made durable in the outbox, or given up; of what was done, also how many milliseconds it took. */
  readonly onAction?: (planned: PlannedAction, result: 'done' | 'queued' | 'dead_lettered', milliseconds?: number) => void;
}

/** How a worker performs what its plugins ask for, and what it remembers of it. */
export interface PluginActions {
  readonly perform: Performing;
  /** Ids of the actions done for a record since it was handed out. */
  done(record: LogRecord): readonly string[];
}

/**
 * Publishes are written to the log before their delivery goes on; webhooks and e-mails go to the outbox topic first, unless their plugin wants them
 * awaited. An action that cannot be done
 * is dead-lettered as an action, and its delivery goes on.
 */
export function pluginActions(options: PluginActionsOptions): PluginActions {
  const { produce, claims, onAction } = options;
  const keep = async (record: NewRecord): Promise<void> => {
    await produce([claims === undefined ? record : await claims.check(record, undefined)]);
  };
  const doneIds = new WeakMap<LogRecord, Set<string>>();
  const recordBehind = (delivery: Delivery<unknown>): LogRecord | undefined => recordOf(beforeContext(delivery.value));
  const perform = performActions({
    ...options,
    publish: publisher(produce),
    background: (planned, context) => keep(outboxEntry(planned, context, options)),
    onActionFailed: async (planned, error, context) => {
      await keep(actionLetter(planned, error, context, options));
      onAction?.(planned, 'dead_lettered');
    },
    alreadyDone: (delivery) => {
      const record = recordBehind(delivery);
      return record === undefined ? new Set<string>() : doneActionsOf(textHeaders(record));
    },
    onDone: (delivery, id, planned, milliseconds) => {
      onAction?.(planned, planned.mode === 'background' ? 'queued' : 'done', milliseconds);
      const record = recordBehind(delivery);
      if (record === undefined) return;
      const ids = doneIds.get(record) ?? new Set();
      doneIds.set(record, ids.add(id));
    },
  });
  return { perform: perform as Performing, done: (record) => [...(doneIds.get(record) ?? [])] };
}

function outboxEntry(planned: PlannedAction, context: Context, { outboxTopic: topic, sealing }: PluginActionsOptions): NewRecord {
  const asked = planned.action as unknown as OutboxRecord['action'];
  const { action, names } = sealing?.seal(asked) ?? { action: asked, names: [] };
  const entry: OutboxRecord = {
    id: planned.id,
    plugin: planned.plugin,
    action,
    context: {
      domain: context.domain,
      stage: context.stage,
      ...(context.worker === undefined ? {} : { worker: context.worker }),
      event_id: context.event_id,
      event_type: context.event_type,
      project_id: context.project_id,
      retry_count: context.retry_count,
      timestamp: context.timestamp.toISOString(),
    },
    ...(names.length === 0 ? {} : { sealed: [...names] }),
  };
  return { topic, key: context.event_id, value: JSON.stringify(entry), headers: { 'idempotency-key': planned.id } };
}

/** An action given up: what it was, for whom, and why; its bytes are those of its own description, so that a replay goes to the outbox. */
function actionLetter(planned: PlannedAction, error: unknown, context: Context, options: PluginActionsOptions): NewRecord {
  const entry = outboxEntry(planned, context, options);
  return deadLetterRecord({
    topic: options.deadLetterTopic,
    source: { kind: 'made', topic: options.outboxTopic, key: context.event_id, bytes: Buffer.from(String(entry.value)) },
    reason: 'action_failed',
    error,
    domain: options.domain,
    worker: options.worker,
    retryCount: context.retry_count,
    about: { trace_id: context.event_id, action_id: planned.id, plugin: planned.plugin, action: planned.action.type },
    now: new Date(),
    ...(options.redact === undefined ? {} : { redact: options.redact }),
  });
}

/** Performs the actions that a record of the outbox may hold; a publish is one that was dead-lettered and replayed. */
export interface OutboxPerformers {
  readonly webhook: Perform<WebhookAction>;
  readonly email: Perform<EmailAction>;
  readonly publish: Perform<PublishAction>;
  /** Puts the values of variables back. Without it an action that needs them fails. */
  readonly sealing?: Sealing | undefined;
}

const NO_VARIABLES = sealing({});

/** Performs an action of the outbox as it was asked for. */
export async function performOutbox(
  { id, plugin, action, context, sealed = [] }: OutboxRecord,
  performers: OutboxPerformers,
): Promise<void> {
  const asked = (performers.sealing ?? NO_VARIABLES).open({ action, names: sealed }) as unknown as Action;
  const seen = new PluginContext({ ...context, message: null, timestamp: new Date(context.timestamp) });
  const planned: PlannedAction = { id, plugin, action: asked, mode: 'background', required: false };
  if (asked.type === 'http_webhook') await performers.webhook(asked, planned, seen);
  else if (asked.type === 'send_email') await performers.email(asked, planned, seen);
  else if (asked.type === 'publish_to_topic') await performers.publish(asked, planned, seen);
}

/** Publishes to the log, with the action's id as a header. */
export function publisher(produce: (records: readonly NewRecord[]) => Promise<unknown>): Perform<PublishAction> {
  return async ({ params: { topic, payload, key, headers } }, planned) => {
    await produce([
      { topic, key: key ?? null, value: JSON.stringify(payload ?? {}), headers: { ...headers, 'idempotency-key': planned.id } },
    ]);
  };
}
