import { act, defineOpenPlugin, type Given, log, messages, type OpenContext, publish, topic, webhook, z } from '../src/plugin/index.js';

const config = z
  .strictObject({
    log_level: z.string().default('INFO').describe('The level of the lines.'),
    include_payload: z.boolean().default(false).describe('Adds the message itself.'),
    topic: topic().optional().describe('Writes to this topic instead of the log.'),
    webhook_url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Calls this webhook instead of writing to the log.'),
  })
  .refine((given) => given.topic === undefined || given.webhook_url === undefined, {
    message: 'must have either topic or webhook_url, not both',
  });

type Config = z.output<typeof config>;

/** Keeps a record of everything that comes by. */
export const auditLogger = defineOpenPlugin({
  name: 'audit_logger',
  version: '1.0.0',
  summary: 'Writes a record of each event to the log, a topic or a webhook.',
  reads: messages(),
  priority: 1000,
  effects: {
    actions: (given: Config) => [actionOf(given)],
    topics: (given: Config) => (given.topic === undefined ? [] : [given.topic]),
  },
  config,
  create: ({ config: given }) => {
    const level = given.log_level.toLowerCase();
    return (context) => {
      const record = recordOf(context, given.include_payload);
      if (given.topic !== undefined) return act(publish(given.topic, { ...record, timestamp: context.timestamp.toISOString() }));
      if (given.webhook_url !== undefined)
        return act(webhook(given.webhook_url, { body: { ...record, timestamp: context.timestamp.toISOString() } }));
      return act(log(level, `${context.stage} ${context.event_type ?? 'event'} ${context.event_id}`, record));
    };
  },
});

function actionOf(given: Config): 'log' | 'publish_to_topic' | 'http_webhook' {
  if (given.topic !== undefined) return 'publish_to_topic';
  return given.webhook_url === undefined ? 'log' : 'http_webhook';
}

function recordOf(context: Given<OpenContext>, withPayload: boolean): Record<string, unknown> {
  const { domain, stage, worker, event_id, event_type, project_id, retry_count, error, message } = context;
  const record: Record<string, unknown> = { domain, stage, event_id, event_type, project_id, retry_count };
  if (worker !== undefined) record['worker'] = worker;
  if (error !== null && error !== undefined) record['error'] = error instanceof Error ? error.message : JSON.stringify(error);
  if (withPayload) record['payload'] = message;
  return record;
}
