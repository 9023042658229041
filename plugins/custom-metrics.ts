import { act, defineOpenPlugin, messages, metric, PluginContext } from '../src/plugin/index.js';

/** Counts what comes by. */
export const customMetrics = defineOpenPlugin({
  name: 'custom_metrics',
  version: '1.0.0',
  summary: 'Counts events by domain, stage and event type, and the tasks of ClaimX.',
  reads: messages(),
  effects: { actions: ['metric'] },
  create: () => (context) => {
    const { domain, stage, event_type } = context;
    const processed = metric('pipeline.event.processed', { domain, stage, event_type: event_type ?? 'unknown' });
    const tasks = domain === 'claimx' ? PluginContext.of(context).tasks.length : 0;
    if (tasks === 0) return act(processed);
    const labels = { project_id: context.project_id ?? 'unknown', event_type: event_type ?? 'unknown' };
    return act(processed, metric('claimx.tasks.count', labels, tasks));
  },
});
