import type { Path, Place } from '../../diagnostics/index.js';
import { type AnySpec, actionsOf, type Pluggable } from '../../plugin/definition.js';
import type { PluginEntry } from '../../plugin/entry.js';
import { findPlugin, splitConfig } from '../../plugin/entry-plugin.js';
import { specOf } from '../../plugin/from-class.js';
import type { Action, ActionType, Catalogue } from '../../plugin/index.js';

/** What an entry of a configuration asks of its plugin. */
export interface EntryFacts {
  readonly pluggable: Pluggable;
  readonly spec: AnySpec;
  /** As written. */
  readonly config: unknown;
  /** As the plugin reads it. */
  readonly read: unknown;
  readonly topics: readonly string[];
  readonly actions: readonly ActionType[];
}

/** None where the plugin cannot be made, which is told when the entry is assembled. */
export function factsOf(entry: PluginEntry, catalogue: Catalogue): EntryFacts | undefined {
  const pluggable = entry.plugin ?? findPlugin(catalogue, entry.type);
  if (pluggable === undefined) return undefined;
  try {
    const { config } = splitConfig(entry, pluggable);
    const spec = specOf(pluggable, config);
    const checked = spec.config?.safeParse(config);
    if (checked?.success === false) return undefined;
    const read: unknown = checked === undefined ? config : checked.data;
    return { pluggable, spec, config, read, topics: spec.effects?.topics?.(read as never) ?? [], actions: actionsOf(spec, read) };
  } catch {
    return undefined; // told when the entry is assembled
  }
}

/** Where an entry stands, as one text: the same for a changed entry. */
export function entryKey(entry: PluginEntry): string {
  const place = entry.at([]);
  return `${place?.file}:${place?.line}:${place?.column} ${entry.name}`;
}

/** Where a value of an entry stands; the entry where it comes from no file. */
export function placeIn(entry: PluginEntry, path: Path, offset?: number): Place {
  return entry.at(path, 'value', offset) ?? { file: entry.name, line: 1, column: 1 };
}

/** Every text in a value, with where it stands. */
export function textsIn(value: unknown, path: Path = []): readonly { readonly text: string; readonly path: Path }[] {
  if (typeof value === 'string') return [{ text: value, path }];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, inner]) => textsIn(inner, [...path, Array.isArray(value) ? Number(key) : key]));
}

/** Which route of an entry an action is: a topic, an address, or a kind of action that has neither. */
export function routeOf(action: Action): string {
  switch (action.type) {
    case 'publish_to_topic':
      return `publish ${action.params.topic}`;
    case 'http_webhook':
      return action.params.url === undefined ? `webhook ${action.params.connection ?? ''}` : `webhook ${action.params.url}`;
    default:
      return action.type;
  }
}

/** The routes that an entry may take, with where each is written. */
export function routesOf(
  entry: PluginEntry,
  { config, topics, actions }: EntryFacts,
): readonly { readonly route: string; readonly path: Path }[] {
  const texts = textsIn(config);
  const at = (text: string): Path => {
    const found = texts.find((one) => one.text === text);
    return found === undefined ? [] : ['config', ...found.path];
  };
  const addresses = actions.includes('http_webhook') ? texts.filter(({ text }) => /^https?:\/\//.test(text)) : [];
  return [
    ...topics.map((topic) => ({ route: `publish ${topic}`, path: at(topic) })),
    ...new Map(addresses.map(({ text, path }) => [text, { route: `webhook ${text}`, path: ['config', ...path] as Path }])).values(),
    ...actions
      .filter((action) => action !== 'publish_to_topic' && !(action === 'http_webhook' && addresses.length > 0))
      .map((action) => ({ route: action, path: [] })),
    ...(topics.length === 0 && actions.includes('publish_to_topic') ? [{ route: 'publish_to_topic', path: [] }] : []),
  ];
}
