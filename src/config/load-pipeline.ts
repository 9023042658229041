import { resolve } from 'node:path';
import { type Diagnostic, fit, type Path, type Place, sortDiagnostics } from '../diagnostics/index.js';
import type { Catalogue } from '../plugin/definition.js';
import type { PluginEntry } from '../plugin/entry.js';
import {
  type EntryPatches,
  type EntrySource,
  listed,
  type LoadedEntries,
  loadEntries,
  rawEntries,
  type RawEntries,
  type SetAside,
} from '../plugin/loader/index.js';
import { connectionsSchema, toConnection } from './connections-schema.js';
import { type DomainShape, DOMAINS } from './domains.js';
import type { Environment } from './environment.js';
import { candidates, findBeside, findPath, shown } from './find-file.js';
import { finding, missingVariable } from './findings.js';
import { openYaml, unreadable } from './open-yaml.js';
import type { ConnectionConfig, PipelineConfig } from './pipeline-config.js';
import type { WrittenPlugins } from './pipeline-schema.js';
import { readPipeline, writtenDomain } from './read-pipeline.js';
import { YamlFile } from './yaml-file.js';

export interface LoadPipelineOptions {
  /** The pipeline file; a plugins file by itself will do, with all settings at their defaults. */
  readonly configPath: string;
  readonly env: Environment;
  /** Plugins by name; what ships is handed in by whoever wires the process. */
  readonly catalogue: Catalogue;
  /** Runs these domains, whatever the file says. */
  readonly domains?: readonly string[];
  /** Where relative paths start. Defaults to the working directory of the process. */
  readonly cwd?: string;
  /** What is known of each domain. Defaults to those that ship. */
  readonly shapes?: readonly DomainShape[];
}

/** A configuration as loaded. `config` is missing only when the pipeline file itself could not be understood. */
export interface LoadedPipeline {
  readonly config: PipelineConfig | undefined;
  /** By domain that runs here, in file order, global ones first; disabled ones among them. */
  readonly entries: Readonly<Record<string, readonly PluginEntry[]>>;
  /** Entries that do nothing here, and why. */
  readonly setAside: readonly SetAside[];
  /** All findings of all files, sorted by place. */
  readonly diagnostics: readonly Diagnostic[];
  /** The texts of all files by the names that findings carry, for frames. */
  readonly sources: ReadonlyMap<string, string>;
  /** Absolute paths of everything that was read, for watching. */
  readonly files: readonly string[];
  /** Values of plugin entries that lack their variable: no other finding about them counts. */
  readonly unresolved: readonly Place[];
  /** Variables that were asked for. */
  readonly variables: readonly { readonly name: string; readonly fallback: boolean }[];
  /** The entries read once more, with changes that stand elsewhere than in their files, and all findings; no file is opened for it. */
  readonly entriesWith: (patches: EntryPatches) => Promise<Pick<LoadedEntries, 'entries' | 'diagnostics' | 'setAside'>>;
}

/** Whether anything found stops the pipeline from starting. */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}

/**
 * Reads a pipeline file and all files that it names. Rejects never: whatever is wrong becomes a diagnostic, all of them at once. Nothing is
 * connected, written or started; modules that enabled entries name are imported.
 */
export async function loadPipeline(options: LoadPipelineOptions): Promise<LoadedPipeline> {
  return new Loading(options).run();
}

class Loading {
  private readonly cwd: string;
  private readonly shapes: readonly DomainShape[];
  private readonly path: string;
  private readonly diagnostics: Diagnostic[] = [];
  private readonly sources = new Map<string, string>();
  private readonly files: string[] = [];
  private readonly variables: { readonly name: string; readonly fallback: boolean }[] = [];

  constructor(private readonly options: LoadPipelineOptions) {
    this.cwd = options.cwd ?? process.cwd();
    this.shapes = options.shapes ?? DOMAINS;
    this.path = resolve(this.cwd, options.configPath);
  }

  async run(): Promise<LoadedPipeline> {
    const yaml = await this.open(this.path);
    if (yaml === undefined) return this.result(undefined);
    const bare = isPluginsFile(yaml);
    const pipeline = readPipeline(bare ? new YamlFile('', yaml.file) : yaml, {
      path: this.path,
      env: this.options.env,
      cwd: this.cwd,
      domains: this.shapes,
    });
    this.diagnostics.push(...pipeline.diagnostics);
    this.variables.push(...pipeline.reading.used);
    const running = this.running(pipeline.config);
    const global = bare ? await this.bareSource() : await this.pluginSource(yaml, ['plugins'], pipeline.written.plugins, 'global', true);
    const own: (EntrySource & { readonly path?: string | undefined })[] = [];
    for (const { name } of this.shapes) {
      own.push(
        await this.pluginSource(
          yaml,
          ['kafka', name, 'plugins'],
          bare ? undefined : writtenDomain(pipeline.written, name).plugins,
          name,
          running.includes(name),
        ),
      );
    }
    const connections = bare ? {} : await this.connections(yaml, pipeline.written.connections.config_path);
    const read = (patches: EntryPatches) =>
      loadEntries({
        sources: [global, ...own],
        catalogue: this.options.catalogue,
        env: this.options.env,
        cwd: this.cwd,
        aliases: pipeline.config.moduleAliases,
        running,
        domains: this.shapes,
        patches,
      });
    const others = [...this.diagnostics];
    const entriesWith: LoadedPipeline['entriesWith'] = async (patches) => {
      const changed = await read(patches);
      return { ...changed, diagnostics: sortDiagnostics([...others, ...changed.diagnostics]) };
    };
    const loaded = await read({});
    this.diagnostics.push(...loaded.diagnostics);
    this.variables.push(...loaded.used);
    const perDomain = Object.fromEntries(
      own.map(({ scope, path }) => {
        const domain = pipeline.config.perDomain[scope]!;
        return [scope, { ...domain, plugins: { ...domain.plugins, path } }];
      }),
    );
    const config = {
      ...pipeline.config,
      domains: running,
      perDomain,
      plugins: { ...pipeline.config.plugins, path: global.path },
      connections,
    };
    return this.result(pipeline.usable ? config : undefined, { ...loaded, entriesWith });
  }

  private result(
    config: PipelineConfig | undefined,
    loaded?: Pick<LoadedPipeline, 'entries' | 'setAside' | 'unresolved' | 'entriesWith'>,
  ): LoadedPipeline {
    const last = new Map(this.variables.map((variable) => [variable.name, variable]));
    return {
      config,
      entries: loaded?.entries ?? {},
      setAside: loaded?.setAside ?? [],
      unresolved: loaded?.unresolved ?? [],
      diagnostics: sortDiagnostics(this.diagnostics),
      sources: this.sources,
      files: this.files,
      variables: [...last.values()],
      entriesWith: loaded?.entriesWith ?? (() => Promise.resolve({ entries: {}, diagnostics: [], setAside: [] })),
    };
  }

  private running(config: PipelineConfig): readonly string[] {
    const asked = this.options.domains;
    if (asked === undefined) return config.domains;
    const runnable = this.shapes.filter(({ runs }) => runs).map(({ name }) => name);
    for (const name of asked.filter((name) => !runnable.includes(name)))
      this.diagnostics.push(finding('PS1102', 'error', undefined, `domain must be ${runnable.join(' or ')}, this is "${name}"`));
    return asked.filter((name) => runnable.includes(name));
  }

  private async open(path: string, namedAt?: Place): Promise<YamlFile | undefined> {
    const opened = await openYaml(path, this.cwd, namedAt);
    if (!(opened instanceof YamlFile)) {
      this.diagnostics.push(opened);
      return undefined;
    }
    this.remember(opened, path);
    this.diagnostics.push(...opened.diagnostics);
    return opened.diagnostics.length > 0 ? undefined : opened;
  }

  private remember(yaml: YamlFile, path: string): void {
    this.sources.set(yaml.file, yaml.text);
    this.files.push(path);
  }

  private async bareSource(): Promise<EntrySource & { readonly path: string | undefined }> {
    const raw = this.kept(await rawEntries(this.path, this.cwd));
    return { entries: raw.entries, scope: 'global', enabled: true, path: this.path };
  }

  /** The entries that a `plugins` section names or holds. Whether its file exists matters only where it runs. */
  private async pluginSource(yaml: YamlFile, at: Path, written: WrittenPlugins, scope: string, runs: boolean) {
    const folder = resolve(this.path, '..');
    const enabled = Array.isArray(written) || written?.enabled !== false;
    const inline = Array.isArray(written)
      ? [listed(yaml, at, written, folder)]
      : (['plugins', 'task_triggers'] as const).map((key) => listed(yaml, [...at, key], written?.[key], folder));
    this.diagnostics.push(...inline.flatMap((found) => found.diagnostics));
    const own = inline.flatMap((found) => found.entries);
    const named = Array.isArray(written) ? undefined : written?.config_path;
    const place = named === undefined ? undefined : yaml.place([...at, 'config_path']);
    let path: string | undefined;
    if (named !== undefined) {
      path = await findPath(named, this.path, this.cwd);
      if (path === undefined && runs && enabled) this.diagnostics.push(this.notFound(named, place));
    } else if (scope === 'global' && own.length === 0) path = await findBeside('plugins.yaml', this.path);
    const raw = path === undefined ? undefined : this.kept(await rawEntries(path, this.cwd, place));
    return { entries: [...(raw?.entries ?? []), ...own], scope, enabled, path };
  }

  private notFound(named: string, place: Place | undefined): Diagnostic {
    const looked = candidates(named, this.path, this.cwd).map((path) => shown(path, this.cwd));
    return unreadable(named, 'there is no such file', place, `it was looked for at ${looked.join(', ')}`);
  }

  private kept(raw: RawEntries): RawEntries {
    for (const file of raw.files) this.remember(file, resolve(this.cwd, file.file));
    this.diagnostics.push(...raw.diagnostics);
    return raw;
  }

  private async connections(yaml: YamlFile, named: string | undefined): Promise<Readonly<Record<string, ConnectionConfig>>> {
    const at: Path = ['connections', 'config_path'];
    const path = named === undefined ? await findBeside('connections.yaml', this.path) : await findPath(named, this.path, this.cwd);
    if (path === undefined) {
      if (named !== undefined) this.diagnostics.push(this.notFound(named, yaml.place(at)));
      return {};
    }
    const file = await this.open(path, named === undefined ? undefined : yaml.place(at));
    if (file === undefined || file.empty) return {};
    const reading = file.read(this.options.env);
    this.variables.push(...reading.used);
    const spots = new Set(reading.missing.map((variable) => file.place(variable.path)).map(({ line, column }) => `${line}:${column}`));
    this.diagnostics.push(...reading.missing.map((variable) => missingVariable(variable, variable.path.join('.'))));
    const { value, diagnostics } = fit(connectionsSchema, reading.value, {
      locate: (where, part) => file.place(where, part),
      textOf: (where) => reading.textOf(where),
    });
    this.diagnostics.push(...diagnostics.filter(({ line, column }) => !spots.has(`${line}:${column}`)));
    return this.named(
      file,
      Object.entries(value?.connections ?? {}).map(([key, written]) => [key, toConnection(key, written)]),
    );
  }

  private named(file: YamlFile, connections: readonly (readonly [string, ConnectionConfig])[]): Readonly<Record<string, ConnectionConfig>> {
    const byName = new Map<string, ConnectionConfig>();
    for (const [key, connection] of connections) {
      if (byName.has(connection.name))
        this.diagnostics.push(
          finding('PS1202', 'error', file.place(['connections', key], 'key'), `two connections are called "${connection.name}"`),
        );
      byName.set(connection.name, connection);
    }
    return Object.fromEntries(byName);
  }
}

const PLUGIN_KEYS: ReadonlySet<string> = new Set([
  'plugins',
  'task_triggers',
  'name',
  'module',
  'class',
  'enabled',
  'priority',
  'config',
  'type',
]);

/** A file of plugins by itself, or one entry, instead of a pipeline. */
function isPluginsFile(yaml: YamlFile): boolean {
  const keys = yaml.keys().filter((key) => !key.startsWith('x-'));
  if (keys.length === 0 || !keys.every((key) => PLUGIN_KEYS.has(key))) return false;
  const { value } = yaml.read({}, ['plugins']);
  return keys.includes('task_triggers') || keys.includes('name') || Array.isArray(value) || (keys.includes('plugins') && value === null);
}
