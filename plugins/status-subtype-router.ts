import { act, definePlugin, publish, skip, topics, z } from '../src/plugin/index.js';
import type {} from '../src/domains/xact/stages.js';

/** Sends completed results on by what their event was about. */
export const statusSubtypeRouter = definePlugin({
  name: 'status_subtype_router',
  version: '1.0.0',
  summary: 'Publishes each completed result to the topics of its status subtype.',
  domains: ['xact'],
  stages: ['result_process'],
  effects: {
    actions: ['publish_to_topic'],
    topics: (config: { readonly routes: Readonly<Record<string, readonly string[]>> }) => [...new Set(Object.values(config.routes).flat())],
  },
  config: z.strictObject({
    routes: z
      .record(z.string().min(1), topics())
      .default({ estimateCreated: ['xact.estimates.received'], documentsReceived: ['xact.documents.received'] })
      .describe('One topic or several for each status subtype; the whole result goes there, keyed by trace id.'),
  }),
  create: ({ config }) => {
    const routes = new Map(Object.entries(config.routes));
    const other = skip('no route for it');
    return ({ message }) => {
      const route = message.status === 'completed' ? routes.get(message.status_subtype) : undefined;
      if (route === undefined) return other;
      return act(route.map((topic) => publish(topic, message, { key: message.trace_id })));
    };
  },
});
