import { type DomainShape, DOMAINS } from '../../config/domains.js';
import type { Environment } from '../../config/environment.js';
import { finding, missingVariable } from '../../config/findings.js';
import type { MissingVariable } from '../../config/yaml-file.js';
import { didYouMean, type Diagnostic, fit, type Path, type Place, type Schema } from '../../diagnostics/index.js';
import type { Catalogue, Pluggable } from '../definition.js';
import type { PluginEntry } from '../entry.js';
import { catalogueKey, catalogueNames, catalogueSize, domainsOf, ownName } from './catalogue.js';
import { taskTriggerSchema, type WrittenEntry } from './entry-schema.js';
import type { RawEntry } from './raw-entries.js';
import { importPlugin, withAlias } from './resolve-module.js';

export interface ReadEntryOptions {
  readonly catalogue: Catalogue;
  readonly env: Environment;
  readonly cwd: string;
  readonly aliases: Readonly<Record<string, string>>;
  /** `global`, or the domain that the file speaks of. */
  readonly scope: string;
  /** The domains that run here. */
  readonly running: readonly string[];
  /** The schema of an entry, made once for all. */
  readonly schema: Schema<WrittenEntry>;
  /** Whether plugins are enabled at all in this place. */
  readonly enabled: boolean;
  readonly domains?: readonly DomainShape[];
  readonly patches?: EntryPatches | undefined;
}

/** A change to an entry that stands elsewhere than in its file: what a specification tries out. */
export interface EntryPatch {
  /** The entry as it would be written; what is given is left as it is. */
  readonly apply: (written: unknown) => unknown;
  /** Where a value of the changed entry stands, if the change says it. */
  readonly place?: (path: Path, part: 'value' | 'key', offset?: number) => Place | undefined;
}

/** Changes by the name of their entry. */
export type EntryPatches = Readonly<Record<string, EntryPatch>>;

/** An entry with the domains of this process in which it runs; none when it belongs elsewhere. */
export interface ReadEntry {
  readonly entry: PluginEntry | undefined;
  readonly name: string;
  readonly runsIn: readonly string[];
  /** The domains that it belongs to, where that is known. */
  readonly belongsTo: readonly string[] | undefined;
  /** Values that lack their variable. */
  readonly unresolved: readonly Place[];
  readonly diagnostics: readonly Diagnostic[];
  readonly used: readonly { readonly name: string; readonly fallback: boolean }[];
}

const BUILT_IN = 'penstock/plugins';

/** Reads one entry. Only of an enabled entry of a domain that runs here are variables asked for and modules loaded. */
export async function readEntry(raw: RawEntry, options: ReadEntryOptions): Promise<ReadEntry> {
  const { yaml, base } = raw;
  const shapes = options.domains ?? DOMAINS;
  const nothing = { entry: undefined, name: '', runsIn: [], belongsTo: undefined, used: [], unresolved: [] };
  if (yaml.keys(base).includes('plugin') && !yaml.keys(base).includes('name')) {
    const help = 'take "plugin:" away, so that name, config and the rest stand in the entry itself';
    return {
      ...nothing,
      diagnostics: [finding('PS1103', 'error', yaml.place([...base, 'plugin'], 'key'), 'this entry is nested under "plugin:"', help)],
    };
  }
  const reading = yaml.read(options.env, base);
  const patch = ownPatch(options.patches, nameOf(reading.value));
  const written = patch === undefined ? reading.value : patch.apply(reading.value);
  const fitted = fit<WrittenEntry>(raw.form === 'entry' ? options.schema : legacyEntry, written, {
    locate: (path, part) => patch?.place?.(path, part) ?? yaml.place([...base, ...path], part),
    textOf: (path) => reading.textOf(path),
    title: raw.form === 'entry' ? 'a plugin entry' : 'a task trigger',
  });
  const where = owner(raw, written, options, shapes);
  const runsIn = where.candidates.filter((domain) => options.running.includes(domain));
  const asked = options.enabled && runsIn.length > 0 && fitted.value?.enabled !== false;
  const name = nameOf(reading.value);
  const variables = asked ? reading.missing.map((variable) => missingVariable(variable, usedBy(name, variable, base))) : [];
  const diagnostics = [...variables, ...withoutThose(fitted.diagnostics, reading.missing, raw)];
  const read = {
    name,
    runsIn,
    belongsTo: where.belongsTo,
    used: asked ? reading.used : [],
    unresolved: reading.missing.map(({ path }) => yaml.place(path)),
  };
  const value = fitted.value ?? (raw.form === 'entry' ? coreOf(written, options) : undefined);
  if (value === undefined) {
    const plugin = raw.form === 'entry' && options.enabled && runsIn.length > 0 ? namedPlugin(written) : undefined;
    const found = plugin === undefined ? undefined : await findPlugin(plugin, raw, options);
    return {
      ...read,
      entry: undefined,
      diagnostics: found !== undefined && 'refusal' in found ? [...diagnostics, found.refusal] : diagnostics,
    };
  }
  const entry = toEntry(value, raw, options.scope, patch);
  if (runsIn.length === 0 || !options.enabled) return { ...read, entry: { ...entry, enabled: false }, diagnostics };
  const found = await findPlugin(entry, raw, options);
  if ('refusal' in found) return { ...read, entry: undefined, diagnostics: [...diagnostics, found.refusal] };
  return { ...read, entry: { ...entry, type: found.type, plugin: found.plugin }, diagnostics };
}

/** What says which plugin an entry means, where it runs, and when. */
const CORE = ['name', 'type', 'module', 'class', 'config', 'domains', 'stages', 'event_types', 'when', 'conditions'];

/**
 * An entry that is wrong in nothing but how it is run, without all of that: its config and conditions can be checked at once with the rest. It is never
 * run, since what is wrong with it is told.
 */
function coreOf(written: unknown, { schema }: ReadEntryOptions): WrittenEntry | undefined {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) return undefined;
  const entry = written as Readonly<Record<string, unknown>>;
  const kept = Object.keys(entry).filter((key) => CORE.includes(key) || (key === 'enabled' && typeof entry[key] === 'boolean'));
  const { value } = fit<WrittenEntry>(schema, Object.fromEntries(kept.map((key) => [key, entry[key]])), { locate: () => undefined });
  return value;
}

type NamedPlugin = Pick<PluginEntry, 'name' | 'type' | 'module' | 'class' | 'enabled'>;

/** Which plugin an entry asks for that is wrong elsewhere, so that both are told at once; none where that cannot be said. */
function namedPlugin(value: unknown): NamedPlugin | undefined {
  const { name, type = name, module, class: exported, enabled } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const isTextOrNone = (given: unknown): given is string | undefined => given === undefined || typeof given === 'string';
  if (typeof name !== 'string' || typeof type !== 'string' || !isTextOrNone(module) || !isTextOrNone(exported)) return undefined;
  return name === '' || type === '' ? undefined : { name, type, module, class: exported, enabled: enabled !== false };
}

function nameOf(value: unknown): string {
  const { name } = (value ?? {}) as { readonly name?: unknown };
  return typeof name === 'string' ? name : '';
}

function usedBy(name: string, { path }: MissingVariable, base: Path): string {
  const inside = path.slice(base.length);
  return `${name === '' ? 'an entry without a name' : name} → ${inside.slice(inside[0] === 'config' ? 1 : 0).join('.')}`;
}

/** A value that only lacks its variable needs no second finding. */
function withoutThose(diagnostics: readonly Diagnostic[], missing: readonly MissingVariable[], { yaml }: RawEntry): readonly Diagnostic[] {
  const places = new Set(missing.map(({ path }) => yaml.place(path)).map(({ line, column }) => `${line}:${column}`));
  return diagnostics.filter(({ line, column }) => !places.has(`${line}:${column}`));
}

/** Where an entry belongs: by its own word, by its definition's, or by what is known of plugins that this build lacks. */
function owner(raw: RawEntry, value: unknown, { catalogue, scope, aliases }: ReadEntryOptions, shapes: readonly DomainShape[]) {
  const written = (value ?? {}) as Readonly<Record<string, unknown>>;
  const text = (key: string) => (typeof written[key] === 'string' ? written[key] : undefined);
  const module = text('module');
  const last =
    module === undefined
      ? undefined
      : withAlias(module, aliases)
          .split('/')
          .pop()
          ?.replace(/\.[cm]?js$/, '');
  const calls = [text('class'), last, text('type'), text('name'), raw.form === 'task_trigger' ? 'task_trigger' : undefined].filter(
    (call) => call !== undefined,
  );
  const listed = typeof written['domains'] === 'string' ? [written['domains']] : written['domains'];
  const own = Array.isArray(listed) ? listed.map((domain) => String(domain).trim().toLowerCase()) : undefined;
  const key = calls.map((call) => catalogueKey(catalogue, call)).find((found) => found !== undefined);
  const plain = (name: string) => name.replaceAll('-', '_').toLowerCase();
  const expected = shapes.filter((shape) =>
    shape.expectedPlugins.some((plugin) => calls.some((call) => [plugin.name, plugin.class].map(plain).includes(plain(call)))),
  );
  const belongsTo =
    own ??
    domainsOf(key === undefined ? undefined : catalogue[key]) ??
    (key === undefined && expected.length > 0 ? expected.map((shape) => shape.name) : undefined);
  const allowed = scope === 'global' ? shapes.map((shape) => shape.name) : [scope];
  return { belongsTo, candidates: allowed.filter((domain) => belongsTo === undefined || belongsTo.includes(domain)) };
}

/** The old form, turned into the entry that it stands for. */
const legacyEntry = taskTriggerSchema.transform(
  ({ name, description, enabled, triggers, ...include }): WrittenEntry => ({
    name,
    type: 'task_trigger',
    enabled,
    ...(description === undefined ? {} : { description }),
    config: { ...include, triggers: Object.fromEntries(triggers.map(({ task_id, ...trigger }) => [String(task_id), trigger])) },
  }),
);

function ownPatch(patches: EntryPatches | undefined, name: string): EntryPatch | undefined {
  return patches !== undefined && Object.hasOwn(patches, name) ? patches[name] : undefined;
}

function toEntry(written: WrittenEntry, raw: RawEntry, scope: string, patch: EntryPatch | undefined): PluginEntry {
  const { isolation: _isolation, type, ...rest } = written;
  return {
    ...rest,
    type: type ?? written.name,
    scope: scope === 'global' ? 'global' : 'domain',
    at: (path, part = 'value', offset) => patch?.place?.(path, part, offset) ?? place(raw, path, part, offset),
  };
}

/** Task triggers in their old form are rearranged on the way in; places are those of the file. */
function place(raw: RawEntry, path: Path, part: 'value' | 'key' = 'value', offset?: number) {
  const { yaml, base } = raw;
  if (path.length === 0) return yaml.place(yaml.has([...base, 'name']) ? [...base, 'name'] : base);
  const whole = [...base, ...(raw.form === 'task_trigger' && path[0] === 'config' ? legacyPath(path.slice(1), raw) : path)];
  return offset === undefined ? yaml.place(whole, part) : yaml.placeInside(whole, offset);
}

function legacyPath(path: Path, { yaml, base }: RawEntry): Path {
  if (path[0] !== 'triggers' || path[1] === undefined) return path;
  const { value } = yaml.read({}, [...base, 'triggers']);
  const index = Array.isArray(value)
    ? value.findIndex((item: { task_id?: unknown } | null) => String(item?.task_id) === String(path[1]))
    : -1;
  return index < 0 ? ['triggers'] : ['triggers', index, ...path.slice(2)];
}

type Found = { readonly type: string; readonly plugin: Pluggable | undefined } | { readonly refusal: Diagnostic };

async function findPlugin(entry: NamedPlugin, raw: RawEntry, { catalogue, aliases, cwd }: ReadEntryOptions): Promise<Found> {
  const module = entry.module === undefined ? undefined : withAlias(entry.module, aliases);
  if (module !== undefined && module !== BUILT_IN && !module.startsWith(`${BUILT_IN}/`)) {
    if (!entry.enabled) return { type: entry.type, plugin: undefined };
    const imported = await importPlugin({ module, export: entry.class, folder: raw.folder, cwd });
    if ('plugin' in imported) return { type: entry.type, plugin: imported.plugin };
    const { about, message, help } = imported.refusal;
    return { refusal: finding('PS1201', 'error', raw.yaml.place([...raw.base, about]), message, help) };
  }
  const last = module
    ?.slice(BUILT_IN.length + 1)
    .split('/')
    .pop();
  const calls = [entry.class, last === '' ? undefined : last, entry.type].filter((call) => call !== undefined);
  for (const call of calls) {
    const key = catalogueKey(catalogue, call);
    if (key !== undefined) return { type: ownName(catalogue, key), plugin: undefined };
  }
  const key = entry.type !== entry.name ? 'type' : entry.class !== undefined ? 'class' : module !== undefined ? 'module' : 'name';
  const asked = key === 'module' ? last! : key === 'class' ? entry.class! : entry.type;
  const meant = didYouMean(asked, key === 'class' ? Object.keys(catalogue) : catalogueNames(catalogue));
  const all = `\`penstock plugins ls\` lists all ${catalogueSize(catalogue)}.`;
  const help = meant === undefined ? all : `did you mean "${meant}" (built in)? ${all}`;
  if (!entry.enabled) return { type: entry.type, plugin: undefined };
  return { refusal: finding('PS1203', 'error', raw.yaml.place([...raw.base, key]), `no plugin is called "${asked}"`, help) };
}
