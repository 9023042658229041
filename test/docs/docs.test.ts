import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtIns } from '../../plugins/index.js';
import { loadPipeline } from '../../src/config/index.js';
import { CODES } from '../../src/diagnostics/index.js';
import { blocksOf, pages, root } from './blocks.js';

const run = promisify(execFile);
const blocks = pages().flatMap(blocksOf);
const of = (language: string) =>
  blocks.filter((block) => block.language === language).map((block) => [`${block.page}:${block.line}`, block] as const);

/** Blocks of TypeScript stand in a folder of the repository while they are checked, so that the package's own doors open. */
const folder = join(root, 'test', 'docs', '.blocks');

describe('the pages', () => {
  it('have blocks to run', () => {
    expect(blocks.length).toBeGreaterThan(15);
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
  });
});

describe('blocks of TypeScript', () => {
  beforeAll(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../../tsconfig.json', include: ['*.ts'], exclude: [] }));
    for (const [, { page, line, text }] of of('ts')) writeFileSync(join(folder, fileName(page, line)), imported(page, text));
  });

  it('are checked by the compiler', async () => {
    await expect(run('npx', ['tsc', '-p', join(folder, 'tsconfig.json')], { cwd: root })).resolves.toBeDefined();
  }, 60_000);

  it.each(of('ts').filter(([, { text }]) => !text.includes('declare ')))('%s runs', async (_, { page, line }) => {
    await import(join(folder, fileName(page, line)));
  });
});

function fileName(page: string, line: number): string {
  return `${page.replaceAll(/[^\w]/g, '-')}-${line}.ts`;
}

/** What a page imports from beside itself is found from the folder of the blocks. */
function imported(page: string, text: string): string {
  return text.replaceAll(/from '\.\//g, `from '../../../${dirname(page)}/`).concat('\nexport {};\n');
}

describe('blocks of YAML', () => {
  it.each(of('yaml'))('%s loads', async (_, { text }) => {
    const directory = mkdtempSync(join(tmpdir(), 'penstock-docs-'));
    const file = join(directory, text.includes('connections:') ? 'connections.yaml' : 'file.yaml');
    writeFileSync(file, text);
    if (text.includes('connections:')) writeFileSync(join(directory, 'file.yaml'), 'domains: [xact]\n');
    const { diagnostics } = await loadPipeline({ configPath: join(directory, 'file.yaml'), env: {}, catalogue: builtIns, cwd: root });
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});

describe('blocks of commands', () => {
  beforeAll(async () => {
    await run('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: root });
  }, 120_000);

  const directory = mkdtempSync(join(tmpdir(), 'penstock-docs-sh-'));
  it.each(of('sh'))(
    '%s runs',
    async (_, { text }) => {
      const commands = text
        .split('\n')
        .map((line) => line.replace(/\s+#.*$/, '').trim())
        .filter((line) => line !== '');
      expect(commands.length).toBeGreaterThan(0);
      for (const command of commands) {
        const words = command.split(/\s+/);
        const own = command.startsWith('npm start -- ') ? ['dev', ...words.slice(3)] : words.slice(words.indexOf('penstock') + 1);
        expect(own.length, command).toBeLessThan(words.length);
        await run(process.execPath, [join(root, 'bin', 'penstock.js'), ...own], { cwd: directory, maxBuffer: 64 * 1024 * 1024 });
      }
    },
    120_000,
  );

  it('generated parts are fresh', async () => {
    await expect(run(process.execPath, [join(root, 'docs', 'generate.mjs'), '--check'], { cwd: root })).resolves.toBeDefined();
  });
});
