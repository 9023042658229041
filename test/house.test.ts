import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What each room may import: rooms of ours, and packages from outside. `node:` modules are named where a room must do without. */
interface Room {
  readonly rooms: readonly string[];
  readonly packages: readonly string[];
  readonly node?: false;
}

const ground = ['operators', 'src/diagnostics'];

/** Bottom to top; a file belongs to the longest room that its path starts with. */
const HOUSE: Readonly<Record<string, Room>> = {
  operators: { rooms: [], packages: ['rxjs'], node: false },
  'src/diagnostics': { rooms: ['operators'], packages: [] },
  'src/plugin': { rooms: ground, packages: ['rxjs', 'zod', '@marcbachmann/cel-js', 're2js'] },
  'src/plugin/loader': { rooms: [...ground, 'src/plugin', 'src/config'], packages: ['zod', 'yaml'] },
  'src/config': { rooms: [...ground, 'src/plugin', 'src/plugin/loader'], packages: ['yaml', 'zod'] },
  'src/storage': { rooms: ground, packages: [] },
  'src/storage/kv': { rooms: ground, packages: ['lmdb'] },
  'src/storage/delta': { rooms: [...ground, 'src/storage'], packages: ['apache-arrow', 'parquet-wasm'] },
  'src/storage/blob': { rooms: [...ground, 'src/storage'], packages: [] },
  'src/transport': { rooms: ground, packages: ['rxjs'] },
  'src/transport/memory': { rooms: [...ground, 'src/transport'], packages: ['rxjs'] },
  'src/transport/embedded': { rooms: [...ground, 'src/transport', 'src/storage/kv'], packages: ['rxjs'] },
  'src/transport/kafka': { rooms: [...ground, 'src/transport'], packages: ['rxjs', 'kafkajs'] },
  'src/http': { rooms: [...ground, 'src/plugin', 'src/config', 'src/observe', 'src/storage'], packages: ['got', 'ipaddr.js'] },
  'src/observe': { rooms: [...ground, 'src/plugin', 'src/transport'], packages: ['pino', 'prom-client', 'hono', '@hono/node-server'] },
  'src/runtime': {
    rooms: [...ground, 'src/plugin', 'src/transport', 'src/storage/delta', 'src/storage/blob', 'src/http', 'src/observe'],
    packages: ['rxjs', 'zod'],
  },
  'src/domains': {
    rooms: [
      ...ground,
      'src/plugin',
      'src/transport',
      'src/storage',
      'src/storage/delta',
      'src/storage/blob',
      'src/http',
      'src/observe',
      'src/runtime',
    ],
    packages: ['rxjs', 'zod'],
  },
  'src/simulator': { rooms: [...ground, 'src/domains', 'src/http'], packages: [] },
  'src/testing': {
    rooms: [
      ...ground,
      'src/plugin',
      'src/transport',
      'src/transport/memory',
      'src/domains',
      'src/runtime',
      'src/config',
      'src/http',
      'src/storage/delta',
    ],
    packages: ['rxjs', 'fast-check', 'vitest'],
  },
  'src/testing/picture': { rooms: ['src/testing'], packages: [] },
  'src/testing/simulation': {
    rooms: [
      ...ground,
      'src/testing',
      'src/testing/specs',
      'src/plugin',
      'src/transport',
      'src/transport/memory',
      'src/domains',
      'src/runtime',
      'src/simulator',
    ],
    packages: ['rxjs'],
  },
  'src/testing/contract': { rooms: [...ground, 'src/transport'], packages: ['rxjs', 'fast-check', 'vitest'] },
  'src/testing/kit': {
    rooms: [...ground, 'src/testing', 'src/testing/specs', 'src/plugin', 'src/domains'],
    packages: ['rxjs', 'zod', 'fast-check', 'vitest'],
  },
  'src/testing/specs': {
    rooms: [...ground, 'src/testing', 'src/plugin', 'src/plugin/loader', 'src/config', 'src/domains'],
    packages: ['rxjs', 'zod', 'yaml'],
  },
  'src/cli': { rooms: ['*'], packages: ['commander', 'rxjs', 'zod', 'yaml'] },
  plugins: { rooms: [...ground, 'src/plugin', 'src/domains'], packages: ['rxjs', 'zod', 're2js'] },
};

/** The package's own door: it passes on what is inside. */
const DOOR = 'src/index.ts';

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const files = ['operators', 'src', 'plugins'].flatMap(sources).filter((file) => file !== DOOR);

function roomOf(path: string): string | undefined {
  return Object.keys(HOUSE)
    .filter((room) => path === room || path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** The specifiers that remain when types are gone, and those that are types only. */
function importsOf(file: string): { readonly specifier: string; readonly typeOnly: boolean }[] {
  const text = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const found: { specifier: string; typeOnly: boolean }[] = [];
  for (const match of text.matchAll(/^\s*(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\sfrom\s+)?'([^']+)'/gm)) {
    found.push({ specifier: match[2]!, typeOnly: match[1] !== undefined });
  }
  for (const match of text.matchAll(/\bimport\('([^']+)'\)/g)) found.push({ specifier: match[1]!, typeOnly: false });
  return found;
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
}

function complaint(file: string, specifier: string): string | undefined {
  const home = roomOf(file);
  if (home === undefined) return `${file} stands in no room`;
  const room = HOUSE[home]!;
  if (specifier.startsWith('.')) {
    const target = relative(root, resolve(root, dirname(file), specifier));
    const other = roomOf(target);
    if (other === undefined) return `${file} imports ${target}, which stands in no room`;
    if (file === `${home}/index.ts` && other.startsWith(`${home}/`)) return undefined; // a door passes on what is inside
    if (other === home || room.rooms.includes('*') || room.rooms.some((allowed) => other === allowed)) return undefined;
    return `${file} (${home}) may not import ${other}`;
  }
  if (specifier.startsWith('node:')) return room.node === false ? `${file} may not import ${specifier}` : undefined;
  return room.packages.includes(packageOf(specifier)) ? undefined : `${file} (${home}) may not import ${packageOf(specifier)}`;
}

describe('the house', () => {
  it('sees files in every room of the ground floor', () => {
    expect(files.length).toBeGreaterThan(60);
    for (const room of Object.keys(HOUSE))
      expect(
        files.filter((file) => roomOf(file) === room),
        room,
      ).not.toHaveLength(0);
  });

  it('imports downwards only, vendors in one room each', () => {
    const complaints = files.flatMap((file) => importsOf(file).map(({ specifier }) => complaint(file, specifier)));
    expect(complaints.filter((text) => text !== undefined)).toEqual([]);
  });

  it('has no file for leftovers', () => {
    const leftovers = files.filter((file) => /(^|\/)(utils?|helpers?|common|types|misc|manager)(\/|\.ts$)/.test(file));
    expect(leftovers).toEqual([]);
  });

  it('keeps the doors for embedding free of heavy packages', () => {
    const heavy = ['kafkajs', 'lmdb', 'got', 'prom-client'];
    const doors = ['operators/index.ts', 'src/plugin/index.ts', ...sources('plugins'), ...sources('src/domains/xact/workers')];
    expect(doors.length).toBeGreaterThan(15);
    for (const door of doors)
      expect(
        reached(door).filter((name) => heavy.includes(name)),
        door,
      ).toEqual([]);
  });
});

/** Every package that loading a file loads. */
function reached(door: string): string[] {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { specifier, typeOnly } of importsOf(file)) {
      if (typeOnly || specifier.startsWith('node:')) continue;
      if (specifier.startsWith('.')) visit(relative(root, resolve(root, dirname(file), specifier)).replace(/\.js$/, '.ts'));
      else packages.add(packageOf(specifier));
    }
  };
  visit(door);
  return [...packages];
}
