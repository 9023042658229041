import { z } from 'zod';
import type { Catalogue, Pluggable } from './definition.js';
import type { PluginEntry } from './entry.js';
import { isDefinition } from './from-class.js';

/** The plugin that a name means; dash and underscore are equal. */
export function findPlugin(catalogue: Catalogue, name: string): Pluggable | undefined {
  if (Object.hasOwn(catalogue, name)) return catalogue[name];
  const key = Object.keys(catalogue).find((known) => plain(known) === plain(name));
  return key === undefined ? undefined : catalogue[key];
}

function plain(name: string): string {
  return name.replaceAll('-', '_').toLowerCase();
}

/** Conditions may stand in the config, as older files have them; then they are no part of it. */
export function splitConfig(
  entry: PluginEntry,
  pluggable: Pluggable,
): { readonly config: unknown; readonly conditions: unknown; readonly conditionsAt: readonly (string | number)[] } {
  const { config } = entry;
  if (entry.conditions !== undefined || typeof config !== 'object' || config === null || !('conditions' in config)) {
    return { config, conditions: entry.conditions, conditionsAt: ['conditions'] };
  }
  if (isDefinition(pluggable) && pluggable.spec.config !== undefined && knows(pluggable.spec.config, 'conditions')) {
    return { config, conditions: undefined, conditionsAt: ['conditions'] };
  }
  const { conditions, ...rest } = config;
  return { config: rest, conditions, conditionsAt: ['config', 'conditions'] };
}

function knows(schema: z.ZodType, key: string): boolean {
  return schema instanceof z.ZodObject && key in schema.shape;
}
