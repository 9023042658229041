import { act, definePlugin, publish, skip, topics, z } from '../src/plugin/index.js';
import type {} from '../src/domains/xact/stages.js';

/** Sends stored estimate files on to be processed. */
export const esxProcessor = definePlugin({
  name: 'esx_processor',
  version: '1.0.0',
  summary: 'Publishes the result of each completed ESX file for processing.',
  domains: ['xact'],
  stages: ['result_process'],
  effects: { actions: ['publish_to_topic'], topics: (config: { readonly topic: readonly string[] }) => config.topic },
  config: z.strictObject({ topic: topics().default(['xact.esx.processing']).describe('Where the whole result goes, keyed by trace id.') }),
  create: ({ config }) => {
    const other = skip('not a completed ESX file');
    return ({ message }) => {
      if (message.status !== 'completed' || message.file_type.toLowerCase() !== 'esx') return other;
      return act(config.topic.map((topic) => publish(topic, message, { key: message.trace_id })));
    };
  },
});
