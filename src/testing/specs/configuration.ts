import { dirname } from 'node:path';
import { hasErrors, type LoadedPipeline, loadPipeline } from '../../config/load-pipeline.js';
import { finding } from '../../config/findings.js';
import { type Diagnostic, didYouMean, oneOf, type Path } from '../../diagnostics/index.js';
import type { Catalogue } from '../../plugin/index.js';
import type { PluginEntry } from '../../plugin/entry.js';
import { type EntryPatch, type EntryPatches, listed, loadEntries } from '../../plugin/loader/index.js';
import { merged } from './merge.js';
import type { SpecCase, SpecChange } from './spec.js';
import { SPEC_DOMAINS, stageWorld, type StageWorld } from './stage-world.js';

/** The configuration that a case runs on. */
export interface Configuration {
  readonly world: StageWorld;
  readonly entries: readonly PluginEntry[];
  /** Errors; with one the case cannot play. */
  readonly diagnostics: readonly Diagnostic[];
  /** Texts of the files by the names that findings carry. */
  readonly sources: ReadonlyMap<string, string>;
  readonly files: readonly string[];
}

/** A change to one entry that no specification asks for. */
export interface Mutation {
  readonly plugin: string;
  readonly apply: (written: unknown) => unknown;
}

export interface ConfigurationsOptions {
  /** Plugins by name; what ships is handed in by whoever wires the process. */
  readonly catalogue: Catalogue;
  readonly cwd?: string | undefined;
  /** Changes to entries that come before those of the cases. */
  readonly mutations?: readonly Mutation[];
}

/** Loads the configurations that cases name, each once. */
export class Configurations {
  private readonly loaded = new Map<string, Promise<Configuration>>();
  private readonly pipelines: Map<string, Promise<LoadedPipeline>>;

  constructor(
    private readonly options: ConfigurationsOptions,
    opened?: Configurations,
  ) {
    this.pipelines = opened?.pipelines ?? new Map<string, Promise<LoadedPipeline>>();
  }

  /** The same files, not opened again, with changes that no specification asks for. */
  with(mutations: readonly Mutation[]): Configurations {
    return new Configurations({ ...this.options, mutations }, this);
  }

  get catalogue(): Catalogue {
    return this.options.catalogue;
  }

  load(one: SpecCase): Promise<Configuration> {
    const { spec, env, changes } = one;
    const places = changes.map(({ path }) => path.join('.'));
    const key = JSON.stringify([
      spec.config?.path ?? null,
      changes.length > 0 || spec.inline ? [spec.path, places] : null,
      spec.domain,
      env,
    ]);
    const known = this.loaded.get(key);
    if (known !== undefined) return known;
    const loading = this.read(one);
    this.loaded.set(key, loading);
    return loading;
  }

  /** The configuration that a case names, as it stands in its file. */
  loadUnchanged(one: SpecCase): Promise<Configuration> {
    return this.load({ ...one, changes: [] });
  }

  private async read(one: SpecCase): Promise<Configuration> {
    const { spec, changes } = one;
    const cwd = this.options.cwd ?? process.cwd();
    const patches = patchesOf(one, this.options.mutations ?? []);
    if (spec.config === undefined) return await this.inline(one, patches, cwd);
    const loaded = await this.pipeline(one, spec.config.path, cwd);
    const changed = Object.keys(patches).length === 0 ? loaded : await loaded.entriesWith(patches);
    const { entries: byDomain, diagnostics: found, setAside } = changed;
    const domain = spec.domain ?? only(Object.keys(byDomain));
    const diagnostics = found.filter(({ severity }) => severity === 'error');
    const world = domain === undefined ? undefined : stageWorld(domain);
    const entries = domain === undefined ? [] : (byDomain[domain] ?? []);
    if (world === undefined && !hasErrors(diagnostics)) diagnostics.push(domainless(one));
    const names = [...entries.map(({ name }) => name), ...setAside.map(({ name }) => name)];
    if (!hasErrors(diagnostics)) diagnostics.push(...unknownChanges(one, changes, names, spec.config.written));
    return { world: world ?? NO_WORLD, entries, diagnostics, sources: loaded.sources, files: loaded.files };
  }

  /** The files of a configuration, opened once for all changes to them. */
  private pipeline({ spec: { domain }, env }: SpecCase, path: string, cwd: string): Promise<LoadedPipeline> {
    const key = JSON.stringify([path, domain, env]);
    const known = this.pipelines.get(key);
    if (known !== undefined) return known;
    const domains = domain === undefined ? {} : { domains: [domain] };
    const loading = loadPipeline({ configPath: path, env, catalogue: this.catalogue, cwd, ...domains });
    this.pipelines.set(key, loading);
    return loading;
  }

  /** Plugins that stand in the specification itself. */
  private async inline(one: SpecCase, patches: EntryPatches, cwd: string): Promise<Configuration> {
    const { spec, env, changes } = one;
    const domain = spec.domain ?? only(SPEC_DOMAINS);
    const world = domain === undefined ? undefined : stageWorld(domain);
    const sources = new Map([[spec.file, spec.yaml.text]]);
    if (domain === undefined || world === undefined) {
      return { world: NO_WORLD, entries: [], diagnostics: [domainless(one)], sources, files: [] };
    }
    const { value } = spec.yaml.read(env, ['plugins']);
    const raw = listed(spec.yaml, ['plugins'], value, dirname(spec.path));
    const loaded = await loadEntries({
      sources: [{ entries: raw.entries, scope: domain, enabled: true }],
      catalogue: this.catalogue,
      env,
      cwd,
      aliases: {},
      running: [domain],
      patches,
    });
    const entries = loaded.entries[domain] ?? [];
    const diagnostics = [...raw.diagnostics, ...loaded.diagnostics].filter(({ severity }) => severity === 'error');
    if (diagnostics.length === 0)
      diagnostics.push(
        ...unknownChanges(
          one,
          changes,
          entries.map(({ name }) => name),
          'plugins',
        ),
      );
    return { world, entries, diagnostics, sources, files: [] };
  }
}

/** Stands where no domain is known; nothing plays there. */
const NO_WORLD: StageWorld = {
  domain: '',
  stages: [],
  usual: {},
  aliases: () => ({}),
  sample: () => ({}),
  contextOf: () => {
    throw new Error('a case without a domain does not play');
  },
};

function only<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}

function domainless({ spec }: SpecCase): Diagnostic {
  const place = spec.yaml.place(spec.config === undefined ? [] : ['config']);
  const help = `write domain: ${SPEC_DOMAINS.join(' or domain: ')}`;
  return finding('PS1101', 'error', place, 'the spec does not say which domain it is about', help);
}

/** All changes to one entry, in the order in which they are said. */
function patchesOf({ spec, changes }: SpecCase, mutations: readonly Mutation[]): EntryPatches {
  const patches: Record<string, EntryPatch> = {};
  for (const name of new Set([...mutations, ...changes].map(({ plugin }) => plugin))) {
    const said = changes.filter(({ plugin }) => plugin === name);
    const mutated = mutations.filter(({ plugin }) => plugin === name);
    patches[name] = {
      apply: (written) =>
        said.reduce<unknown>(
          (value, { change }) => merged(value, change),
          mutated.reduce<unknown>((value, { apply }) => apply(value), written),
        ),
      place: (path, part, offset) => {
        const own = said.findLast(({ change }) => path.length > 0 && hasPath(change, path));
        if (own === undefined) return undefined;
        const whole = [...own.path, ...path];
        return offset === undefined ? spec.yaml.place(whole, part) : spec.yaml.placeInside(whole, offset);
      },
    };
  }
  return patches;
}

function hasPath(value: unknown, path: Path): boolean {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return false;
    here = (here as Readonly<Record<string | number, unknown>>)[step];
  }
  return true;
}

function unknownChanges({ spec }: SpecCase, changes: readonly SpecChange[], names: readonly string[], file: string): readonly Diagnostic[] {
  return changes
    .filter(({ plugin }) => !names.includes(plugin))
    .map(({ plugin, path }) => {
      const near = didYouMean(plugin, names);
      const help = near === undefined ? (names.length === 0 ? undefined : `it has ${oneOf(names, 'and')}`) : `did you mean "${near}"?`;
      return finding('PS5024', 'error', spec.yaml.place(path, 'key'), `${file} has no plugin called "${plugin}"`, help);
    });
}
