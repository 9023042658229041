import { PluginContext } from '../../../src/plugin/index.js';
import { same } from '../compare.js';
import { type Family, fields, wanted } from '../family.js';

export const family: Family = {
  name: 'plugin-get-field',
  check(vector, { defined }) {
    const { context_id, path } = fields(vector.in);
    const definition = defined.get(String(context_id));
    const { domain, stage, event_id, event_type, project_id, message, data, headers } = fields(definition?.['define_context']);
    const context = new PluginContext({
      domain: domain as string,
      stage: stage as string,
      message,
      event_id: event_id as string,
      event_type: event_type as string | null,
      project_id: project_id as string | null,
      data: fields(data),
      headers: fields(headers) as Record<string, string>,
    });
    same(context.getField(path as string), fields(wanted(vector))['value']);
  },
};
