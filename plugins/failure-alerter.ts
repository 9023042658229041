import { act, definePlugin, publish, skip, topics, z } from '../src/plugin/index.js';
import type {} from '../src/domains/xact/stages.js';

/** Tells somebody of downloads that have failed for good. */
export const failureAlerter = definePlugin({
  name: 'failure_alerter',
  version: '1.0.0',
  summary: 'Publishes an alert when a download has failed for good.',
  domains: ['xact'],
  stages: ['result_process'],
  effects: { actions: ['publish_to_topic'], topics: (config: { readonly topic: readonly string[] }) => config.topic },
  config: z.strictObject({
    topic: topics().default(['xact.alerts.failures']).describe('Where alerts go, keyed by trace id.'),
    min_retries: z.int().min(0).default(3).describe('Failures with fewer retries raise no alert.'),
    high_retries: z.int().min(0).default(5).describe('From so many retries on the severity is high, else medium.'),
  }),
  create: ({ config }) => {
    const other = skip('not a lasting failure');
    return ({ message }) => {
      if (message.status !== 'failed_permanent' || message.retry_count < config.min_retries) return other;
      const { trace_id, assignment_id, error_message, retry_count, http_status } = message;
      const severity = retry_count >= config.high_retries ? 'high' : 'medium';
      const alert = { alert_type: 'download_failure', severity, trace_id, assignment_id, error_message, retry_count, http_status };
      return act(config.topic.map((topic) => publish(topic, alert, { key: trace_id })));
    };
  },
});
