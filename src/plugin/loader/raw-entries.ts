import { type Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { shown } from '../../config/find-file.js';
import { finding } from '../../config/findings.js';
import { openYaml, unreadable } from '../../config/open-yaml.js';
import { YamlFile } from '../../config/yaml-file.js';
import { didYouMean, type Diagnostic, type Path, type Place } from '../../diagnostics/index.js';

/** One entry of a file, not yet read. */
export interface RawEntry {
  readonly yaml: YamlFile;
  /** Where it stands in the file. */
  readonly base: Path;
  readonly form: 'entry' | 'task_trigger';
  /** The folder that relative modules are looked up from. */
  readonly folder: string;
}

export interface RawEntries {
  readonly entries: readonly RawEntry[];
  readonly files: readonly YamlFile[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Finds the entries of a plugins file, or of a directory with one sub-directory a plugin. */
export async function rawEntries(path: string, cwd: string, namedAt?: Place): Promise<RawEntries> {
  const files: YamlFile[] = [];
  const entries: RawEntry[] = [];
  const diagnostics: Diagnostic[] = [];
  const directory = await isDirectory(path);
  const paths = directory ? await entryFiles(path) : [path];
  if (directory && paths.length === 0) {
    const help = 'a plugin here is a sub-directory with a config.yaml';
    diagnostics.push({ ...unreadable(shown(path, cwd), 'no plugin lies in this directory', namedAt, help), severity: 'warning' });
  }
  for (const file of paths) {
    const opened = await openYaml(file, cwd, directory ? undefined : namedAt);
    if (!(opened instanceof YamlFile)) {
      diagnostics.push(opened);
      continue;
    }
    files.push(opened);
    if (opened.diagnostics.length > 0) diagnostics.push(...opened.diagnostics);
    else {
      const found = entriesOf(opened, dirname(file));
      entries.push(...found.entries);
      diagnostics.push(...found.diagnostics);
    }
  }
  return { entries, files, diagnostics };
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // opening it says why
  }
}

const ENTRY_FILES = ['config.yaml', 'plugin.yaml', 'config.yml', 'plugin.yml'];
const NOT_PLUGINS: ReadonlySet<string> = new Set(['connections', 'node_modules']);

/** In each directory the first name that is there; sorted, since the order of a file system is nobody's choice. */
async function entryFiles(directory: string): Promise<string[]> {
  const listed: Dirent[] = await readdir(directory, { withFileTypes: true });
  const names = new Set(listed.filter((item) => item.isFile()).map((item) => item.name));
  const own = ENTRY_FILES.find((name) => names.has(name));
  const found = own === undefined ? [] : [join(directory, own)];
  const below = listed
    .filter((item) => item.isDirectory() && !item.name.startsWith('.') && !NOT_PLUGINS.has(item.name))
    .map((item) => item.name);
  for (const name of below.sort()) found.push(...(await entryFiles(join(directory, name))));
  return found;
}

const FILE_KEYS = ['plugins', 'task_triggers'];

/** The entries of one file in each of its forms: a list, task triggers in their old form, or one entry at the top. */
function entriesOf(yaml: YamlFile, folder: string): { readonly entries: readonly RawEntry[]; readonly diagnostics: readonly Diagnostic[] } {
  if (yaml.empty)
    return {
      entries: [],
      diagnostics: [finding('PS1101', 'warning', { file: yaml.file, line: 1, column: 1 }, 'the file holds no plugins')],
    };
  const { value } = yaml.read({});
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const help = 'write "plugins:" and the list under it';
    return { entries: [], diagnostics: [finding('PS1104', 'error', yaml.place([]), 'the plugins file must be a map', help)] };
  }
  const keys = yaml.keys().filter((key) => !key.startsWith('x-'));
  const record = !keys.some((key) => FILE_KEYS.includes(key)) && keys.some((key) => key === 'name' || key === 'plugin' || key === 'module');
  if (record) return { entries: [{ yaml, base: [], form: 'entry', folder }], diagnostics: [] };
  const diagnostics: Diagnostic[] = [];
  const entries: RawEntry[] = [];
  for (const key of keys) {
    if (!FILE_KEYS.includes(key)) {
      const meant = didYouMean(key, FILE_KEYS);
      const help =
        key === 'connections'
          ? 'connections have a file of their own, connections.yaml'
          : meant === undefined
            ? `keys here: ${FILE_KEYS.join(', ')}`
            : `did you mean "${meant}"?`;
      diagnostics.push(finding('PS1103', 'error', yaml.place([key], 'key'), `the plugins file has no key "${key}"`, help));
      continue;
    }
    const found = listed(yaml, [key], (value as Record<string, unknown>)[key], folder);
    entries.push(...found.entries);
    diagnostics.push(...found.diagnostics);
  }
  return { entries, diagnostics };
}

/** The entries of a list that stands at a path of a file; nothing there counts as an empty list. */
export function listed(
  yaml: YamlFile,
  base: Path,
  value: unknown,
  folder: string,
): { readonly entries: readonly RawEntry[]; readonly diagnostics: readonly Diagnostic[] } {
  const key = base[base.length - 1];
  if (value === null || value === undefined) return { entries: [], diagnostics: [] };
  if (!Array.isArray(value)) {
    const diagnostic = finding('PS1104', 'error', yaml.place(base), `${String(key)} must be a list`, 'begin each entry with "- "');
    return { entries: [], diagnostics: [diagnostic] };
  }
  const form = key === 'task_triggers' ? 'task_trigger' : 'entry';
  return { entries: value.map((_, index) => ({ yaml, base: [...base, index], form, folder })), diagnostics: [] };
}
