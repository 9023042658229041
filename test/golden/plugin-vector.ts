import { PluginContext } from '../../src/plugin/index.js';
import { fields } from './family.js';

/** A context as the vectors about plugins write it: the task and project rows of an enriched event beside the named fields. */
export function contextOfVector(written: unknown, timestamp?: string): PluginContext {
  const { domain, stage, event_id, event_type, project_id, tasks, projects, data, headers } = fields(written);
  const entities = tasks === undefined || tasks === null ? undefined : { tasks, ...(projects === null ? {} : { projects }) };
  return new PluginContext({
    domain: domain as string,
    stage: stage as string,
    message: {},
    event_id: event_id as string,
    event_type: (event_type as string | undefined) ?? null,
    project_id: (project_id as string | undefined) ?? null,
    data: { ...fields(data), ...(entities === undefined ? {} : { entities }) },
    added_headers: fields(headers) as Record<string, string>,
    ...(timestamp === undefined ? {} : { timestamp: new Date(timestamp) }),
  });
}
