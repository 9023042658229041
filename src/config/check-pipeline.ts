import { type Diagnostic, type Path, sortDiagnostics } from '../diagnostics/index.js';
import type { ActionType } from '../plugin/action.js';
import { assemble, type StageSpec } from '../plugin/assemble.js';
import type { Catalogue } from '../plugin/definition.js';
import type { PluginEntry } from '../plugin/entry.js';
import { specOf } from '../plugin/from-class.js';
import { catalogueKey } from '../plugin/loader/index.js';
import { finding } from './findings.js';
import { type LoadedPipeline, loadPipeline, type LoadPipelineOptions } from './load-pipeline.js';
import type { DomainConfig } from './pipeline-config.js';

/** What a domain knows of itself and configuration does not. */
export interface DomainFacts {
  readonly name: string;
  readonly stages: readonly (string | StageSpec)[];
  /** Which topics its workers read and write, under their names on the wire. */
  workers(
    config: DomainConfig,
  ): readonly { readonly name: string; readonly consumes: readonly string[]; readonly produces: readonly string[] }[];
}

export interface CheckPipelineOptions extends LoadPipelineOptions {
  readonly facts: readonly DomainFacts[];
  /** The actions that can be performed. Defaults to all. */
  readonly actions?: readonly ActionType[];
}

/** What a domain reads from outside and writes to it. */
export interface DomainTopology {
  readonly domain: string;
  /** Topics that workers read and nobody here writes. */
  readonly incoming: readonly string[];
  /** Topics that plugins write. */
  readonly outgoing: readonly string[];
}

export interface CheckedPipeline extends LoadedPipeline {
  readonly topology: readonly DomainTopology[];
  readonly plugins: { readonly enabled: number; readonly disabled: number };
  /** Entries with conditions of either form, and schemas that these were checked against. */
  readonly rules: { readonly conditions: number; readonly schemas: number };
}

/** Everything that can be known of a configuration before it runs. Nothing is connected, written or started. */
export async function checkPipeline(options: CheckPipelineOptions): Promise<CheckedPipeline> {
  const loaded = await loadPipeline(options);
  const found: Diagnostic[] = [...loaded.diagnostics];
  const topology: DomainTopology[] = [];
  const all = new Set(Object.values(loaded.entries).flat());
  let schemas = 0;
  for (const facts of options.facts) {
    const entries = loaded.entries[facts.name];
    if (entries === undefined) continue;
    const { diagnostics } = assemble({
      domain: facts.name,
      entries,
      catalogue: options.catalogue,
      stages: facts.stages,
      ...(options.actions === undefined ? {} : { actions: options.actions }),
    });
    found.push(...diagnostics);
    schemas += facts.stages.filter((stage) => typeof stage !== 'string' && stage.message !== undefined).length;
    const settings = loaded.config?.perDomain[facts.name];
    if (settings === undefined) continue;
    const checked = checkTopology(facts, settings, entries, options.catalogue);
    topology.push(checked.topology);
    found.push(...checked.diagnostics);
  }
  const unresolved = new Set(loaded.unresolved.map(placeKey));
  const settled = found.filter((diagnostic) => diagnostic.code === 'PS1301' || !unresolved.has(placeKey(diagnostic)));
  const conditions = [...all].filter(
    ({ enabled, when, conditions: rules, config }) => enabled && (when ?? rules ?? member(config, 'conditions')) !== undefined,
  ).length;
  return {
    ...loaded,
    diagnostics: sortDiagnostics(unique(settled)),
    topology,
    plugins: { enabled: [...all].filter(({ enabled }) => enabled).length, disabled: [...all].filter(({ enabled }) => !enabled).length },
    rules: { conditions, schemas },
  };
}

function placeKey(place: {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}): string {
  return `${place.file}:${place.line}:${place.column}`;
}

function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [
    ...new Map(diagnostics.map((diagnostic) => [`${placeKey(diagnostic)} ${diagnostic.code} ${diagnostic.message}`, diagnostic])).values(),
  ];
}

function member(value: unknown, key: string): unknown {
  return value !== null && typeof value === 'object' && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

/** What comes out of these has been in the pipeline before. */
const RETRY_TOPIC = /\.retry\.\d+[a-z]+$/;

/** Every topic that a worker writes has a reader; topics of plugins are read by others, and by no worker of ours. */
function checkTopology(facts: DomainFacts, settings: DomainConfig, entries: readonly PluginEntry[], catalogue: Catalogue) {
  const workers = facts.workers(settings);
  const diagnostics: Diagnostic[] = [];
  const readers = new Map<string, string>();
  for (const worker of workers) for (const topic of worker.consumes) if (!readers.has(topic)) readers.set(topic, worker.name);
  const givesBack = (consumes: readonly string[]) => consumes.length > 0 && consumes.every((topic) => RETRY_TOPIC.test(topic));
  const written = new Set(workers.filter(({ consumes }) => !givesBack(consumes)).flatMap(({ produces }) => produces));
  for (const worker of workers)
    for (const topic of worker.produces)
      if (!readers.has(topic))
        diagnostics.push(finding('PS2103', 'warning', undefined, `${worker.name} writes to ${topic}, which no worker reads`));
  const outgoing = new Set<string>();
  for (const entry of entries) {
    if (!entry.enabled) continue;
    for (const { topic, path } of publishedTopics(entry, catalogue)) {
      outgoing.add(topic);
      const reader = readers.get(topic);
      if (reader === undefined) continue;
      const message = `${entry.name} publishes to ${topic}, which ${reader} reads: what a plugin publishes there comes round again`;
      diagnostics.push(finding('PS2104', 'warning', entry.at(['config', ...path]), message, 'publish to a topic of its own'));
    }
  }
  const incoming = [...readers.keys()].filter((topic) => !written.has(topic) && !RETRY_TOPIC.test(topic));
  return { topology: { domain: facts.name, incoming, outgoing: [...outgoing].sort() }, diagnostics };
}

/** The topics that a plugin says it publishes to, each with the place of its config that names it. */
function publishedTopics(entry: PluginEntry, catalogue: Catalogue): readonly { readonly topic: string; readonly path: Path }[] {
  const key = catalogueKey(catalogue, entry.type);
  const pluggable = entry.plugin ?? (key === undefined ? undefined : catalogue[key]);
  if (pluggable === undefined) return [];
  try {
    const spec = specOf(pluggable, entry.config);
    const checked = spec.config?.safeParse(entry.config);
    const config = checked === undefined ? entry.config : checked.success ? checked.data : undefined;
    const topics = config === undefined ? undefined : spec.effects?.topics?.(config as never);
    return (topics ?? []).map((topic) => ({ topic, path: pathOf(entry.config, topic) ?? [] }));
  } catch {
    return []; // a plugin that cannot be made is reported where it is assembled
  }
}

/** Where a text stands inside a value. */
function pathOf(value: unknown, text: string, path: Path = []): Path | undefined {
  if (value === text) return path;
  if (value === null || typeof value !== 'object') return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = pathOf(inner, text, [...path, Array.isArray(value) ? Number(key) : key]);
    if (found !== undefined) return found;
  }
  return undefined;
}
