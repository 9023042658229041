import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { builtIns } from '../../plugins/index.js';
import { XACT_FACTS } from '../../src/cli/xact-facts.js';
import { checkPipeline } from '../../src/config/check-pipeline.js';
import { CODES } from '../../src/diagnostics/index.js';
import { Configurations, readSpec, runCase, tellCase } from '../../src/testing/specs/index.js';
import { type Block, blocksOf, fileNameOf, holdsTests, pages, root } from './blocks.js';
import { calls } from './given.js';

const run = promisify(execFile);
const blocks = pages().flatMap(blocksOf);
const of = (language: string) =>
  blocks.filter((block) => block.language === language).map((block) => [`${block.page}:${block.line}`, block] as const);

/** Blocks of TypeScript stand in a folder of the repository while they are checked, so that the package's own doors open. */
const folder = join(root, 'test', 'docs', '.blocks');

describe('the pages', () => {
  it('have blocks to run, each of a kind that is checked', () => {
    expect(blocks.length).toBeGreaterThan(15);
    const checked = new Set(['ts', 'yaml', 'sh', 'console', 'json', '']);
    expect(blocks.filter(({ language }) => !checked.has(language)).map(({ page, line }) => `${page}:${line}`)).toEqual([]);
  });

  it('link only to what is there', () => {
    for (const page of pages()) {
      for (const [, target] of readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
        expect(existsSync(join(root, dirname(page), target!)), `${page} links to ${target}`).toBe(true);
      }
    }
  });

  it('name every error code, with what to do', () => {
    const text = readFileSync(join(root, 'docs', 'errors.md'), 'utf8');
    for (const [code, title] of Object.entries(CODES)) {
      const section = text.split(`### ${code} ${title}\n`)[1]?.split('\n#')[0] ?? '';
      expect(section, code).toContain('What to do: ');
    }
    const named = [...text.matchAll(/^### (PS\d+)/gm)].map(([, code]) => code);
    expect(named).toEqual(Object.keys(CODES));
  });

  it('G13: figures say on what machine they were taken and which script repeats them', () => {
    const text = readFileSync(join(root, 'docs', 'performance.md'), 'utf8');
    expect(text).toMatch(/cores .* Node \d+\.\d+/s);
    const scripts = [...text.matchAll(/\bbench\/([\w/-]+\.(?:ts|mjs))/g)].map(([, script]) => script!);
    expect(scripts.length).toBeGreaterThan(3);
    for (const script of scripts) expect(existsSync(join(root, 'bench', script)), script).toBe(true);
  });

  it('hold only JSON that parses', () => {
    for (const [place, { text }] of of('json')) expect(() => JSON.parse(text) as unknown, place).not.toThrow();
  });
});

describe('blocks of TypeScript', () => {
  beforeAll(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'run'), { recursive: true });
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.json', include: ['*.ts'], exclude: [] }));
    for (const [, block] of of('ts')) {
      writeFileSync(join(folder, fileName(block)), asModule(block, '../../..'));
      writeFileSync(join(folder, 'run', fileName(block)), runnable(asModule(block, '../../../..')));
    }
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are checked by the compiler', async () => {
    await expect(run('npx', ['tsc', '-p', join(folder, 'tsconfig.json')], { cwd: root })).resolves.toBeDefined();
  }, 60_000);

  it.each(of('ts').filter(([, block]) => !holdsTests(block)))('%s runs, and calls what it only declares', async (_, block) => {
    const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    calls.length = 0;
    try {
      await import(join(folder, 'run', fileName(block)));
      if (block.text.includes('declare ')) await vi.waitFor(() => expect(calls.length).toBeGreaterThan(0));
    } finally {
      printed.mockRestore();
    }
  });
});

/** Whether a file of YAML holds marble specs. */
function isSpec(text: string): boolean {
  return /^cases:/m.test(text);
}

function fileName({ page, line }: Block): string {
  return `${page.replaceAll(/[^\w]/g, '-')}-${line}.ts`;
}

/** What a page imports from beside itself is found from the folder of the blocks. */
function asModule({ page, text }: Block, up: string): string {
  return text.replaceAll(/from '\.\//g, `from '${up}/${dirname(page)}/`).concat('\nexport {};\n');
}

/** What a block only declares is given to it. */
function runnable(text: string): string {
  const body = text.replaceAll(/^declare (?:const|function) (\w+).*$/gm, "const $1 = given('$1') as never;");
  return `import { given } from '../../given.js';\n${body}`;
}

describe('blocks of YAML', () => {
  it.each(of('yaml').filter(([, { text }]) => isSpec(text)))('%s are marble specs that pass, or have findings', async (_, block) => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'penstock-docs-')));
    for (const other of blocksOf(block.page)) {
      const name = other.language === 'yaml' && other.line <= block.line ? fileNameOf(other) : undefined;
      if (name === undefined) continue;
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), other.text);
    }
    const path = join(directory, fileNameOf(block) ?? 'marbles/block.marbles.yaml');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, block.text);
    const spec = await readSpec(path, { cwd: directory });
    const configurations = new Configurations({ catalogue: builtIns, cwd: directory });
    const told: string[] = [];
    for (const one of spec.cases) told.push(...tellCase(await runCase(one, { configurations })));
    rmSync(directory, { recursive: true, force: true });
    if (block.note === 'broken') expect(spec.diagnostics.length).toBeGreaterThan(0);
    else expect([...spec.diagnostics.map(({ message }) => message), ...told.filter((line) => !line.startsWith('  plugins:'))]).toEqual([]);
  });

  it.each(of('yaml').filter(([, { text }]) => !isSpec(text)))(
    '%s loads with every rule checked, or has findings where it shows a mistake',
    async (_, { text, note }) => {
      const directory = mkdtempSync(join(tmpdir(), 'penstock-docs-'));
      const configPath = join(directory, 'file.yaml');
      const isConnections = /^connections:\n {2}\w+:\n {4}/m.test(text);
      writeFileSync(join(directory, isConnections ? 'connections.yaml' : 'file.yaml'), text);
      if (isConnections) writeFileSync(configPath, 'domains: [xact]\n');
      const { diagnostics } = await checkPipeline({ configPath, env: {}, catalogue: builtIns, cwd: root, facts: [XACT_FACTS] });
      rmSync(directory, { recursive: true, force: true });
      const errors = diagnostics.filter(({ severity }) => severity === 'error');
      if (note === 'broken') expect(errors.length).toBeGreaterThan(0);
      else expect(diagnostics).toEqual([]);
    },
  );
});
