import { z } from 'zod';
import type { AnyDefinition, Catalogue } from '../../src/plugin/definition.js';

/** A plugin that only has a name and a place: loading looks at nothing else. */
export function named(name: string, domains?: readonly string[]): AnyDefinition {
  return {
    spec: {
      name,
      version: '1.0.0',
      summary: `${name}.`,
      domains,
      stages: undefined,
      config: z.looseObject({}),
      make: () => {
        throw new Error('loading makes no plugin');
      },
    },
  };
}

const audit = named('audit_logger');
const filter = named('event_filter');
const custom = named('custom_filter');

/** Names as they ship, class names among them. */
export const catalogue: Catalogue = {
  event_filter: filter,
  EventFilterPlugin: filter,
  custom_filter: custom,
  CustomFilterPlugin: custom,
  audit_logger: audit,
  AuditLoggerPlugin: audit,
  custom_metrics: named('custom_metrics'),
  webhook_notification: named('webhook_notification'),
  esx_processor: named('esx_processor', ['xact']),
  failure_alerter: named('failure_alerter', ['xact']),
  status_subtype_router: named('status_subtype_router', ['xact']),
  status_trigger: named('status_trigger', ['xact']),
  generic_alerter: named('generic_alerter'),
};
