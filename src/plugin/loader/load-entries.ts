import { type DomainShape, DOMAINS } from '../../config/domains.js';
import type { Environment } from '../../config/environment.js';
import { finding } from '../../config/findings.js';
import type { Diagnostic, Place } from '../../diagnostics/index.js';
import type { Catalogue } from '../definition.js';
import type { PluginEntry } from '../entry.js';
import { entrySchema } from './entry-schema.js';
import type { RawEntry } from './raw-entries.js';
import { type EntryPatches, type ReadEntry, readEntry } from './read-entry.js';

/** Entries of one place: a file, a directory or a section of the pipeline file. */
export interface EntrySource {
  readonly entries: readonly RawEntry[];
  /** `global`, or the domain that the place speaks of. */
  readonly scope: string;
  readonly enabled: boolean;
}

export interface LoadEntriesOptions {
  /** Global ones first: file order decides between equal priorities. */
  readonly sources: readonly EntrySource[];
  readonly catalogue: Catalogue;
  readonly env: Environment;
  readonly cwd: string;
  readonly aliases: Readonly<Record<string, string>>;
  readonly running: readonly string[];
  readonly domains?: readonly DomainShape[];
  /** Changes to entries that stand elsewhere than in their files. */
  readonly patches?: EntryPatches | undefined;
}

/** An entry that does nothing here, and why. */
export interface SetAside {
  readonly name: string;
  readonly file: string;
  readonly reason: 'other_domain' | 'domain_not_run' | 'plugins_disabled';
  /** The domains that it belongs to, where that is known. */
  readonly belongsTo: readonly string[] | undefined;
}

export interface LoadedEntries {
  /** By domain that runs here: global entries first, then the domain's own, in file order; disabled ones among them. */
  readonly entries: Readonly<Record<string, readonly PluginEntry[]>>;
  readonly setAside: readonly SetAside[];
  readonly diagnostics: readonly Diagnostic[];
  readonly used: readonly { readonly name: string; readonly fallback: boolean }[];
  /** Values that lack their variable: what else is wrong with them is not known. */
  readonly unresolved: readonly Place[];
}

/** Reads the entries of all places and tells apart which domain each runs in. */
export async function loadEntries(options: LoadEntriesOptions): Promise<LoadedEntries> {
  const { sources, running, ...rest } = options;
  const schema = schemaFor(options.domains ?? DOMAINS);
  const entries: Record<string, PluginEntry[]> = Object.fromEntries(running.map((domain) => [domain, []]));
  const setAside: SetAside[] = [];
  const diagnostics: Diagnostic[] = [];
  const unresolved: Place[] = [];
  const used: { name: string; fallback: boolean }[] = [];
  for (const { entries: raws, scope, enabled } of sources) {
    for (const raw of raws) {
      const read = await readEntry(raw, { ...rest, schema, scope, running, enabled });
      diagnostics.push(...read.diagnostics);
      used.push(...read.used);
      unresolved.push(...read.unresolved);
      if (read.runsIn.length === 0 || !enabled) {
        setAside.push(aside(read, raw, scope, enabled));
        if (enabled && running.includes(scope) && read.belongsTo !== undefined) diagnostics.push(foreign(read, raw, scope));
      } else if (read.entry !== undefined) for (const domain of read.runsIn) entries[domain]!.push(read.entry);
    }
  }
  for (const domain of running) {
    const { kept, found } = withoutDuplicates(entries[domain]!, domain);
    entries[domain] = kept;
    diagnostics.push(...found);
  }
  return { entries, setAside, diagnostics: unique(diagnostics), used, unresolved };
}

/** A schema is made of some hundred parts: once is enough for one set of domains. */
const schemas = new WeakMap<readonly DomainShape[], ReturnType<typeof entrySchema>>();

function schemaFor(domains: readonly DomainShape[]): ReturnType<typeof entrySchema> {
  const known = schemas.get(domains);
  if (known !== undefined) return known;
  const made = entrySchema(domains);
  schemas.set(domains, made);
  return made;
}

function aside(read: ReadEntry, raw: RawEntry, scope: string, enabled: boolean): SetAside {
  const reason = !enabled
    ? 'plugins_disabled'
    : read.belongsTo !== undefined && scope !== 'global' && !read.belongsTo.includes(scope)
      ? 'other_domain'
      : 'domain_not_run';
  return { name: read.name, file: raw.yaml.file, reason, belongsTo: read.belongsTo };
}

/** An entry of another domain in the file of one that runs is told, not refused: files may be shared. */
function foreign(read: ReadEntry, raw: RawEntry, scope: string): Diagnostic {
  const place = raw.yaml.place([...raw.base, 'name']);
  const domains = (read.belongsTo ?? []).join(' and ');
  return finding(
    'PS1205',
    'warning',
    place,
    `"${read.name}" is a plugin of ${domains}; in the plugins of ${scope} it does nothing`,
    `move it to the plugins of ${domains}`,
  );
}

/** One name, one plugin: what stands second would otherwise run beside the first, or instead of it. */
function withoutDuplicates(
  entries: readonly PluginEntry[],
  domain: string,
): { readonly kept: PluginEntry[]; readonly found: readonly Diagnostic[] } {
  const found: Diagnostic[] = [];
  const first = new Map<string, PluginEntry>();
  for (const entry of entries) {
    const key = entry.name.replaceAll('-', '_').toLowerCase();
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, entry);
      continue;
    }
    const at = other.at([]);
    const help = `the other stands at ${at?.file}:${at?.line}; give this one a name of its own and write type: ${entry.type}`;
    found.push(finding('PS1202', 'error', entry.at([]), `two plugins of ${domain} are called "${entry.name}"`, help));
  }
  return { kept: [...first.values()], found };
}

function unique(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Map(diagnostics.map((diagnostic) => [JSON.stringify(diagnostic), diagnostic]));
  return [...seen.values()];
}
