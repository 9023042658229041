import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as operators from '../operators/index.js';
import { builtIns } from '../plugins/index.js';
import { SPEC_DOMAINS } from '../src/testing/specs/stage-world.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const files = (folder: string, end: string): readonly string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(end))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
const nameOf = (path: string): string => path.replace(/^.*\//, '').replace(/(\.marbles)?\.ts$/, '');
const camel = (name: string): string => name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** What a specification in code must do to count as one of something: import it, and play it. */
function missing(spec: string, mentions: readonly RegExp[]): readonly string[] {
  if (!existsSync(join(root, spec))) return [`${spec} is missing`];
  const written = text(spec);
  return [/\b(?:marbles|marbleTest|draw)\(/, ...mentions]
    .filter((mention) => !mention.test(written))
    .map((mention) => `${spec} has no ${String(mention)}`);
}

/** Every guarantee of the runtime that has a timeline, by the file that draws it. */
const GUARANTEES: Readonly<Record<string, string>> = {
  'order-per-key': 'order per key',
  'retry-then-dead-letter': 'retry then dead letter',
  breaker: 'breaker opening and half-open',
  timeout: 'timeout',
  backpressure: 'backpressure pausing the source',
  'contiguous-commit': 'contiguous commit with out-of-order completion',
  drain: 'drain',
};

/** Files of rules that no specification can play, with the reason, which must still hold. */
const ELSEWHERE: Readonly<Record<string, () => boolean>> = {
  'config/claimx_plugins.yaml': () => !SPEC_DOMAINS.includes('claimx'),
};

describe('everything has its specification', () => {
  it('every operator', () => {
    const found = files('operators', '.ts')
      .map(nameOf)
      .filter((name) => typeof (operators as Readonly<Record<string, unknown>>)[camel(name)] === 'function');
    expect(found.length).toBeGreaterThan(15);
    expect(found.flatMap((name) => missing(`marbles/operators/${name}.marbles.ts`, [new RegExp(`\\b${camel(name)}\\b`)]))).toEqual([]);
  });

  it('every built-in plugin, and its law', () => {
    const found = files('plugins', '.ts')
      .map(nameOf)
      .filter((name) => name !== 'index');
    expect(found.length).toBeGreaterThan(8);
    const known = Object.keys(builtIns).map((name) => name.replaceAll('_', '-'));
    expect(found.filter((name) => !known.includes(name))).toEqual([]);
    expect(
      found.flatMap((name) => missing(`marbles/plugins/${name}.marbles.ts`, [new RegExp(`plugins/${name}\\.js'`), /\bkeepsTheLaw\(/])),
    ).toEqual([]);
  });

  it('every shipped file of rules', () => {
    const shipped = files('config', '.yaml').filter((path) => /^\s*plugins:|^\w+:\n(?: .*\n)*? +plugins:/m.test(text(path)));
    expect(shipped.length).toBeGreaterThan(3);
    const played = files('marbles', '.marbles.yaml').flatMap((path) => {
      const { config } = parse(text(path)) as { readonly config?: unknown };
      return typeof config === 'string' ? [relative(root, resolve(root, dirname(path), config))] : [];
    });
    expect(shipped.filter((path) => !played.includes(path) && ELSEWHERE[path]?.() !== true)).toEqual([]);
    expect(Object.keys(ELSEWHERE).filter((path) => !existsSync(join(root, path)) || played.includes(path))).toEqual([]);
  });

  it('every example', () => {
    const found = files('examples', '.ts');
    expect(found.length).toBeGreaterThan(1);
    expect(
      found.flatMap((path) => missing(`marbles/examples/${nameOf(path)}.marbles.ts`, [new RegExp(`${path.replace(/\.ts$/, '')}\\.js'`)])),
    ).toEqual([]);
  });

  it('every guarantee of the runtime that has a timeline', () => {
    expect(
      Object.entries(GUARANTEES).flatMap(([name, title]) =>
        missing(`marbles/runtime/${name}.marbles.ts`, [new RegExp(`describe\\('${title}'`), /\bworkerOnLog\(/]),
      ),
    ).toEqual([]);
  });
});

describe('every specification is of something', () => {
  it.each([
    ['operators', (name: string) => existsSync(join(root, `operators/${name}.ts`))],
    ['plugins', (name: string) => existsSync(join(root, `plugins/${name}.ts`))],
    ['examples', (name: string) => files('examples', '.ts').some((path) => nameOf(path) === name)],
    ['runtime', (name: string) => Object.hasOwn(GUARANTEES, name) || existsSync(join(root, `src/runtime/${name}.ts`))],
  ])('%s', (folder, isThere) => {
    const found = files(`marbles/${folder}`, '.marbles.ts').map(nameOf);
    expect(found.length).toBeGreaterThan(1);
    expect(found.filter((name) => !isThere(name))).toEqual([]);
  });
});
