import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { YamlFile } from '../config/yaml-file.js';

export interface MarblesPluginOptions {
  /** Which files are tests, beside those that the configuration includes. Defaults to `marbles/**` and what ends as specs do. */
  readonly include?: readonly string[];
}

/** As much of a Vite plugin as this one is, so that its types need no package. */
export interface MarblesPlugin {
  readonly name: string;
  readonly enforce: 'pre';
  config(user: { readonly test?: { readonly include?: string[] } }): { readonly test: { readonly include: string[] } };
  load(this: { addWatchFile(path: string): void }, id: string): { readonly code: string; readonly map: null } | undefined;
}

const SPECS = /\.marbles\.ya?ml$/;
const OF_VITEST = ['**/*.{test,spec}.?(c|m)[jt]s?(x)'];

/** Makes each file of marble specs a test file for vitest, with a test for each of its cases. */
export default function marbleSpecs({ include = ['marbles/**/*.marbles.{yaml,yml}'] }: MarblesPluginOptions = {}): MarblesPlugin {
  return {
    name: 'penstock:marbles',
    enforce: 'pre',
    // Lists of configurations are put together, so a list of ours alone would take the place of the usual one.
    config: (user) => ({ test: { include: user.test?.include === undefined ? [...OF_VITEST, ...include] : [...include] } }),
    load(id) {
      const path = id.split('?', 1)[0]!;
      if (id.includes('?') || !SPECS.test(path)) return undefined;
      this.addWatchFile(path);
      return { code: testModule(path, readFileSync(path, 'utf8')), map: null };
    },
  };
}

/** A test module in which each case stands in the line that it has in its file, so that places need no map. */
export function testModule(path: string, text: string): string {
  const yaml = new YamlFile(text, path);
  const { value } = yaml.diagnostics.length > 0 ? { value: undefined } : yaml.read({});
  const { title, config, cases } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const lines = ['', ...text.split('\n').map(() => '')];
  const named = Array.isArray(cases) ? cases.map((one: unknown) => nameOf(one)) : [];
  named.forEach((name, index) => {
    const { line } = yaml.place(['cases', index, 'name']);
    lines[line - 1] += `it(${JSON.stringify(name ?? `case ${index + 1}`)}, () => tests.play(${index}));`;
  });
  if (named.length === 0) lines[0] += "it('can be read', () => tests.check());";
  const head = [
    "import { describe, it } from 'vitest';",
    "import { specTests } from 'penstock/testing';",
    "import { builtIns } from 'penstock/plugins/index';",
    // A change to what is under test runs the tests again.
    ...configFiles(path, config).map((file) => `import ${JSON.stringify(`${file}?raw`)};`),
    `const tests = specTests(${JSON.stringify(path)}, { catalogue: builtIns });`,
    typeof title === 'string' ? `describe(${JSON.stringify(title)}, () => {` : '{',
  ];
  lines[0] = head.join(' ') + lines[0]!;
  lines[lines.length - 1] += typeof title === 'string' ? '});' : '}';
  return lines.join('\n');
}

function nameOf(one: unknown): string | undefined {
  const name = (one as { readonly name?: unknown } | null)?.name;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** The file under test, and those that it names if it is a pipeline. */
function configFiles(path: string, config: unknown): readonly string[] {
  if (typeof config !== 'string') return [];
  const file = [resolve(dirname(path), config), resolve(config)].find((one) => existsSync(one));
  if (file === undefined) return [];
  const folder = dirname(file);
  const named = [...readFileSync(file, 'utf8').matchAll(/config_path:\s*["']?([^\s"',}]+)/g)].map(([, name]) => name!);
  const beside = named.map((name) => [resolve(name), resolve(folder, name), resolve(folder, '..', name)].find((one) => existsSync(one)));
  return [file, ...beside.filter((one) => one !== undefined)];
}
