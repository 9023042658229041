import { of } from 'rxjs';
import { deliveries } from '../../../operators/index.js';
import { expect } from 'vitest';
import { statusTrigger } from '../../../plugins/status-trigger.js';
import { type PlannedAction } from '../../../src/plugin/index.js';
import { same } from '../compare.js';
import { type Family, fields, list, wanted } from '../family.js';
import { contextOfVector } from '../plugin-vector.js';

export const family: Family = {
  name: 'status-trigger',
  check(vector) {
    const { config, context, now } = fields(vector.in);
    const want = fields(wanted(vector));
    const given = contextOfVector(context, now as string);
    const triggers = list(fields(config)['triggers']);
    const { domains = [], stages = [] } = statusTrigger.spec;
    // Without a trigger it never acts: then asking it is as good as not.
    expect(triggers.length > 0 && domains.includes(given.domain) && stages.includes(given.stage)).toBe(want['should_run']);
    if (!('actions' in want)) return;
    const options = { name: 'xact_status_trigger', domains, stages };
    const operator = statusTrigger({ triggers: triggers.map(knownKeys) } as Parameters<typeof statusTrigger>[0], options);
    const planned: PlannedAction[] = [];
    of(given)
      .pipe(deliveries(), operator)
      .subscribe((delivery) => planned.push(...delivery.value.actions));
    same(planned.map(comparable), list(want['actions']));
  },
};

/** The recorded configurations hold a key that nobody knows; here it is an error of its own, so it is taken away first. */
function knownKeys(trigger: unknown): unknown {
  const { webhook, ...rest } = fields(trigger);
  if (webhook === undefined) return rest;
  if (typeof webhook === 'string') return { ...rest, webhook };
  const { unknown: _unknown, ...known } = fields(webhook);
  return { ...rest, webhook: known };
}

/** The time of triggering is left out, a text of ours stands for any. */
function comparable({ action }: PlannedAction): unknown {
  const params = { ...action.params } as Record<string, unknown>;
  for (const name of ['payload', 'body']) {
    const { metadata, ...payload } = fields(params[name]);
    if (metadata === undefined) continue;
    const { triggered_at: _at, ...rest } = fields(metadata);
    params[name] = { ...payload, metadata: rest };
  }
  if (params['message'] === undefined) return { type: action.type, params };
  return { type: action.type, params: { ...params, message: String(params['message']).startsWith('status ') ? '<default text>' : params['message'] } };
}
