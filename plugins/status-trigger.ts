import {
  type Action,
  act,
  defineOpenPlugin,
  type Given,
  log,
  messages,
  type OpenContext,
  publish,
  skip,
  topics,
  webhook,
  z,
} from '../src/plugin/index.js';

const DEFAULT_MESSAGE = 'status {status} of {event_id}';

const webhookTarget = z.union([
  z.url({ protocol: /^https?$/ }).transform((url) => ({ url, method: 'POST' as const, headers: {}, timeout: 30 })),
  z.strictObject({
    url: z.url({ protocol: /^https?$/ }).describe('Where the trigger goes.'),
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
    headers: z.record(z.string(), z.string()).default({}),
    timeout: z.number().positive().default(30).describe('Seconds.'),
  }),
]);

const logLine = z.union([
  z.string().transform((message) => ({ message })),
  z.strictObject({
    level: z.string().default('info'),
    message: z.string().default(DEFAULT_MESSAGE).describe('May hold {status}, {event_id}, {trace_id}, {assignment_id} and {task_status}.'),
  }),
]);

const trigger = z.strictObject({
  status: z.string().optional().describe('The status subtype that sets it off, exactly.'),
  publish_to_topic: topics().optional().describe('Publishes there, keyed by event id.'),
  webhook: webhookTarget.optional().describe('A URL, or a map with url, method, headers and timeout.'),
  log: logLine.optional().describe('A text, or a map with level and message.'),
});

type Trigger = z.output<typeof trigger>;

const config = z.strictObject({
  triggers: z.array(trigger).default([]).describe('One for each status; of two for the same the last counts.'),
});

/** Acts when a claim reaches a certain status. */
export const statusTrigger = defineOpenPlugin({
  name: 'status_trigger',
  version: '1.0.0',
  summary: 'Publishes, calls or logs when an event has a certain status subtype.',
  reads: messages(),
  domains: ['xact'],
  stages: ['enrichment_complete'],
  event_types: ['*'],
  effects: {
    actions: ({ triggers }: z.output<typeof config>) => [
      ...(triggers.some((one) => one.publish_to_topic !== undefined) ? ['publish_to_topic' as const] : []),
      ...(triggers.some((one) => one.webhook !== undefined) ? ['http_webhook' as const] : []),
      ...(triggers.some((one) => one.log !== undefined) ? ['log' as const] : []),
    ],
    topics: ({ triggers }: z.output<typeof config>) => [...new Set(triggers.flatMap((one) => one.publish_to_topic ?? []))],
  },
  config,
  warnings: ({ triggers }: z.output<typeof config>) =>
    triggers.flatMap((one, index) =>
      one.status === undefined
        ? [
            {
              code: 'PS2107' as const,
              path: ['triggers', index],
              message: 'a trigger without a status never acts',
              help: 'give it a status',
            },
          ]
        : [],
    ),
  create: ({ config: { triggers }, plugin }) => {
    const byStatus = new Map(triggers.filter((one) => one.status !== undefined).map((one) => [one.status, one]));
    const other = skip('no trigger for this status');
    return (context) => {
      const status = context.getField('data.status_subtype');
      const found = typeof status === 'string' ? byStatus.get(status) : undefined;
      return found === undefined ? other : act(actionsOf(found, payloadOf(context, plugin), plugin.name));
    };
  },
});

type Payload = ReturnType<typeof payloadOf>;

function payloadOf(context: Given<OpenContext>, plugin: { readonly name: string; readonly version: string }) {
  const field = (name: string): unknown => context.getField(`data.${name}`);
  return {
    event_id: context.event_id,
    trace_id: field('trace_id'),
    event_type: context.event_type,
    status_subtype: field('status_subtype'),
    assignment_id: field('assignment_id'),
    estimate_version: field('estimate_version'),
    attachment_count: field('attachment_count'),
    timestamp: context.timestamp.toISOString(),
    domain: context.domain,
    stage: context.stage,
    metadata: { plugin_name: plugin.name, plugin_version: plugin.version, triggered_at: context.timestamp.toISOString() },
  };
}

function actionsOf(found: Trigger, payload: Payload, plugin: string): readonly Action[] {
  const status = String(payload.status_subtype);
  const headers = { 'x-plugin-name': plugin, 'x-status': status, 'x-event-type': payload.event_type ?? '' };
  const actions: Action[] = (found.publish_to_topic ?? []).map((topic) => publish(topic, payload, { key: payload.event_id, headers }));
  if (found.webhook !== undefined) {
    const { url, ...options } = found.webhook;
    actions.push(webhook(url, { ...options, body: payload }));
  }
  if (found.log !== undefined)
    actions.push(log('level' in found.log ? found.log.level : 'info', filledIn(found.log.message, status, payload)));
  return actions;
}

/** A text with its placeholders filled in; what is not known is empty, and other braces stay. */
function filledIn(text: string, status: string, payload: Payload): string {
  const values: Readonly<Record<string, unknown>> = {
    status,
    task_status: status,
    event_id: payload.event_id,
    trace_id: payload.trace_id,
    assignment_id: payload.assignment_id,
  };
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(values, name) ? textOf(values[name]) : whole));
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
