import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { configReference, DOMAINS, jsonSchemas } from '../../src/config/index.js';
import { YamlFile } from '../../src/config/yaml-file.js';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const guide = at('docs/configuration.md');

interface Node {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly additionalProperties?: Node | boolean;
}

/** Every property of a schema with its path. */
function properties(node: Node, path = ''): { readonly path: string; readonly node: Node }[] {
  const own = Object.entries(node.properties ?? {}).flatMap(([key, inner]) => [
    { path: `${path}.${key}`, node: inner },
    ...properties(inner, `${path}.${key}`),
  ]);
  const below = [
    ...(node.anyOf ?? []),
    ...(node.items === undefined ? [] : [node.items]),
    ...(typeof node.additionalProperties === 'object' ? [node.additionalProperties] : []),
  ];
  return [...own, ...below.flatMap((inner) => properties(inner, path))];
}

describe('the reference of the configuration', () => {
  it('G12: every key of every file has a sentence', () => {
    for (const [file, schema] of Object.entries(jsonSchemas())) {
      const all = properties(schema as Node);
      expect(all.length, file).toBeGreaterThan(1);
      expect(
        all.filter(({ node }) => node.description?.endsWith('.') !== true).map(({ path }) => path),
        file,
      ).toEqual([]);
    }
  });

  it('lists every key of the shipped pipeline file and every worker', () => {
    const reference = configReference();
    for (const { name } of DOMAINS[0]!.workers) expect(reference).toContain(`\`kafka.xact.workers.${name}.credits\``);
    for (const key of new YamlFile(readFileSync(at('config/pipeline.yaml'), 'utf8'), 'p').keys()) expect(reference).toContain(`\`${key}\``);
    expect(reference).toContain('| `api.port` | whole number | `4170` |');
  });

  it.each(Object.keys(jsonSchemas()))('schema/%s is fresh', async (name) => {
    await expect(`${JSON.stringify(jsonSchemas()[name], null, 2)}\n`).toMatchFileSnapshot(at(`schema/${name}`));
  });

  it('the shipped files name the schema that editors shall use', () => {
    const schemas = {
      'pipeline.yaml': 'pipeline',
      'demo.yaml': 'pipeline',
      'plugins.yaml': 'plugins',
      'xact_plugins.yaml': 'plugins',
      'claimx_plugins.yaml': 'plugins',
      'connections.yaml': 'connections',
    };
    for (const [file, schema] of Object.entries(schemas)) {
      expect(readFileSync(at(`config/${file}`), 'utf8').split('\n')[0]).toBe(`# yaml-language-server: $schema=../schema/${schema}.json`);
      expect(existsSync(at(`schema/${schema}.json`))).toBe(true);
    }
  });

  it('docs/operations/tune.md says of each worker what the order of a key across retries means, or why there is none', () => {
    const page = readFileSync(at('docs/operations/tune.md'), 'utf8');
    const where = { in_place: 'in place, then on the retry topic', on_topic: 'on the retry topic at once' };
    const rows = DOMAINS[0]!.workers.map(({ name, retryOrder }) =>
      'none' in retryOrder
        ? `| \`${name}\` | not offered | ${retryOrder.none} |`
        : `| \`${name}\` | ${retryOrder.key} | ${where[retryOrder.waits]} |`,
    );
    expect(rows.length).toBe(7);
    for (const row of rows) expect(page).toContain(row);
  });

  it.runIf(existsSync(guide))('docs/configuration.md holds it as it is now', () => {
    expect(readFileSync(guide, 'utf8')).toContain(configReference());
  });
});
