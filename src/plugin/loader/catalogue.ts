import type { AnyDefinition, Catalogue, Pluggable } from '../definition.js';

const plain = (name: string): string => name.replaceAll('-', '_').toLowerCase();

/** The catalogue's own spelling of a name; dash and underscore are equal, and so is case. */
export function catalogueKey(catalogue: Catalogue, name: string): string | undefined {
  if (Object.hasOwn(catalogue, name)) return name;
  return Object.keys(catalogue).find((key) => plain(key) === plain(name));
}

/** How many plugins a catalogue holds; names for one and the same count once. */
export function catalogueSize(catalogue: Catalogue): number {
  return new Set(Object.values(catalogue)).size;
}

/** The names that people write; class names are left out. */
export function catalogueNames(catalogue: Catalogue): string[] {
  return Object.keys(catalogue).filter((key) => !/^[A-Z]/.test(key));
}

/** The name under which people know what a key means: class names stand for another. */
export function ownName(catalogue: Catalogue, key: string): string {
  return catalogueNames(catalogue).includes(key)
    ? key
    : (catalogueNames(catalogue).find((name) => catalogue[name] === catalogue[key]) ?? key);
}

/** The domains that a definition says it belongs to; undefined when it says nothing. */
export function domainsOf(pluggable: Pluggable | undefined): readonly string[] | undefined {
  if (pluggable === undefined || !isDefinition(pluggable)) return undefined;
  const { domains } = pluggable.spec;
  return domains === undefined || domains.length === 0 ? undefined : domains;
}

export function isDefinition(value: unknown): value is AnyDefinition {
  return value !== null && (typeof value === 'object' || typeof value === 'function') && 'spec' in value && typeof value.spec === 'object';
}

/** Whether a module's export can be a plugin: a definition or a class. */
export function isPluggable(value: unknown): value is Pluggable {
  if (isDefinition(value)) return true;
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}
