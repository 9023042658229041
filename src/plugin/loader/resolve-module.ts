import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { didYouMean } from '../../diagnostics/index.js';
import type { Pluggable } from '../definition.js';
import { isPluggable } from './catalogue.js';

/** Why a module gives no plugin, and what to do about it. */
export interface ModuleRefusal {
  readonly about: 'module' | 'class';
  readonly message: string;
  readonly help?: string;
}

export interface ModuleRequest {
  readonly module: string;
  /** The export; `default` when nothing is said. */
  readonly export: string | undefined;
  /** The folder of the file that asks. */
  readonly folder: string;
  readonly cwd: string;
}

/** The module name with its alias replaced: the longest alias that is the whole name or a dotted beginning of it. */
export function withAlias(module: string, aliases: Readonly<Record<string, string>>): string {
  const fitting = Object.keys(aliases).filter((alias) => module === alias || module.startsWith(`${alias}.`));
  const longest = fitting.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) return module;
  const rest = module.slice(longest.length + 1).replaceAll('.', '/');
  return rest === '' ? aliases[longest]! : `${aliases[longest]}/${rest}`;
}

/** Imports a plugin from a file beside the asking one, below the working directory, or from an installed package; from nowhere else. */
export async function importPlugin(request: ModuleRequest): Promise<{ readonly plugin: Pluggable } | { readonly refusal: ModuleRefusal }> {
  const refuse = (message: string, help?: string, about: 'module' | 'class' = 'module') => ({
    refusal: { about, message, ...(help === undefined ? {} : { help }) },
  });
  const { module } = request;
  if (/^[a-z][a-z\d+.-]+:/i.test(module))
    return refuse(`module ${module} is no file and no package`, 'write ./x.js or the name of a package');
  const local = module.startsWith('.') || isAbsolute(module);
  const file = local ? resolve(request.folder, module) : await packageFile(module, [request.folder, request.cwd]);
  if (file === undefined) {
    const dotted = /^[\w-]+(\.[\w-]+)+$/.test(module);
    return refuse(
      `no package ${module} is installed`,
      dotted ? `add ${module.split('.')[0]} to module_aliases, or write ./x.js` : `npm install ${packageName(module)}`,
    );
  }
  if (!existsSync(file)) return refuse(`module ${module} does not exist`, `it was looked for at ${file}`);
  if (local && !(await isInside(file, [request.folder, request.cwd])))
    return refuse(
      `module ${module} lies outside the folder of this file and the working directory`,
      'move it below one of them, or install it as a package',
    );
  if (/\.[cm]?ts$/.test(extname(file)))
    return refuse(`module ${module} is TypeScript, which cannot be run as it is`, 'compile it and name the .js file');
  let exports: Record<string, unknown>;
  try {
    exports = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    return refuse(`module ${module} cannot be loaded: ${(error as Error)?.message ?? String(error)}`);
  }
  const wanted = request.export ?? 'default';
  const found = exports[wanted];
  if (isPluggable(found)) return { plugin: found };
  if (found !== undefined)
    return refuse(
      `${wanted} of module ${module} is no plugin`,
      'export what definePlugin returns, or a class that extends Plugin',
      'class',
    );
  const names = Object.keys(exports).filter((name) => isPluggable(exports[name]));
  const meant = didYouMean(wanted, names) ?? (names.length === 1 ? names[0] : undefined);
  const help = meant === undefined ? exported(names) : request.export === undefined ? `add class: ${meant}` : `did you mean "${meant}"?`;
  return refuse(
    `module ${module} has no export ${wanted === 'default' ? 'default' : `"${wanted}"`}`,
    help,
    request.export === undefined ? 'module' : 'class',
  );
}

function exported(names: readonly string[]): string {
  return names.length === 0
    ? 'export what definePlugin returns, or a class that extends Plugin'
    : `its plugins are ${names.join(', ')}: name one with class`;
}

/** Links are followed first: a link out of the folder leads out of it. */
async function isInside(file: string, folders: readonly string[]): Promise<boolean> {
  const real = await realpath(file);
  for (const folder of folders) if (real.startsWith((await realpath(folder)) + sep)) return true;
  return false;
}

function packageName(module: string): string {
  const parts = module.split('/');
  return parts.slice(0, module.startsWith('@') ? 2 : 1).join('/');
}

/** The file that a package's name leads to: found from the folders upwards, by the package's own `exports` or `main`. */
async function packageFile(module: string, folders: readonly string[]): Promise<string | undefined> {
  const name = packageName(module);
  if (name === '' || name.includes('..') || name.includes('\\')) return undefined;
  for (const folder of folders) {
    for (let at = resolve(folder); ; at = dirname(at)) {
      const root = join(at, 'node_modules', name);
      if (existsSync(join(root, 'package.json'))) return entryOf(root, `.${module.slice(name.length)}`);
      if (dirname(at) === at) break;
    }
  }
  return undefined;
}

async function entryOf(root: string, subpath: string): Promise<string | undefined> {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { exports?: unknown; main?: string };
  const { exports } = manifest;
  if (exports === undefined) return join(root, subpath === '.' ? (manifest.main ?? 'index.js') : subpath);
  const bySubpath = typeof exports === 'object' && exports !== null && Object.keys(exports).some((key) => key.startsWith('.'));
  const target = conditional(bySubpath ? (exports as Record<string, unknown>)[subpath] : subpath === '.' ? exports : undefined);
  return target === undefined ? undefined : join(root, target);
}

function conditional(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (target === null || typeof target !== 'object') return undefined;
  for (const [condition, inner] of Object.entries(target)) {
    if (!['import', 'node', 'default'].includes(condition)) continue;
    const found = conditional(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}
