import { act, defineOpenPlugin, messages, publish, type Routable, skip, topics, z } from '../src/plugin/index.js';

/** Tells somebody of messages with a certain status, whatever their domain. */
export const genericAlerter = defineOpenPlugin({
  name: 'generic_alerter',
  version: '1.0.0',
  summary: 'Publishes an alert for each message whose status is in a list.',
  reads: messages<Routable>(),
  stages: ['result_process'],
  effects: { actions: ['publish_to_topic'], topics: (config: { readonly topic: readonly string[] }) => config.topic },
  config: z.strictObject({
    topic: topics().describe('Where alerts go, keyed by trace id.'),
    statuses: z.array(z.string().min(1)).min(1).default(['failed_permanent']).describe('The statuses that raise an alert.'),
  }),
  create: ({ config }) => {
    const wanted = new Set(config.statuses);
    const other = skip('its status raises no alert');
    return ({ message, domain, stage, event_id, event_type, project_id, timestamp }) => {
      if (!wanted.has(message.status)) return other;
      const { trace_id, status } = message;
      const alert = {
        alert_type: 'status',
        status,
        trace_id,
        domain,
        stage,
        event_id,
        event_type,
        project_id,
        timestamp: timestamp.toISOString(),
      };
      return act(config.topic.map((topic) => publish(topic, alert, { key: trace_id })));
    };
  },
});
