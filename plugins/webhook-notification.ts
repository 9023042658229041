import { act, defineOpenPlugin, type Given, messages, type OpenContext, PluginContext, skip, webhook, z } from '../src/plugin/index.js';

/** Tells another system of each event that was enriched. */
export const webhookNotification = defineOpenPlugin({
  name: 'webhook_notification',
  version: '1.0.0',
  summary: 'Calls a webhook for each enriched event.',
  reads: messages(),
  stages: ['enrichment_complete'],
  effects: { actions: ['http_webhook'] },
  config: z.strictObject({
    webhook_url: z
      .union([z.literal(''), z.url({ protocol: /^https?$/ })])
      .default('')
      .describe('Where the notification goes. Empty means nowhere.'),
    include_payload: z.boolean().default(true).describe('Adds what the domain knows of the event: the tasks, for ClaimX.'),
  }),
  create: ({ config }) => {
    const nowhere = skip('No webhook URL configured');
    if (config.webhook_url === '') return () => nowhere;
    return (context) =>
      act(webhook(config.webhook_url, { body: bodyOf(context, config.include_payload), headers: { 'Content-Type': 'application/json' } }));
  },
});

function bodyOf(context: Given<OpenContext>, withPayload: boolean): Record<string, unknown> {
  const { event_id, event_type, project_id, timestamp } = context;
  const body: Record<string, unknown> = { event_id, event_type, project_id, timestamp: timestamp.toISOString() };
  const entities = withPayload && context.domain === 'claimx' ? PluginContext.of(context).entities : null;
  if (entities !== null) body['tasks'] = entities['tasks'] ?? [];
  return body;
}
