import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Block, blocksOf, fileNameOf, pages, root } from './blocks.js';

const run = promisify(execFile);
const MOST_OUTPUT = 64 * 1024 * 1024;

const work = mkdtempSync(join(tmpdir(), 'penstock-docs-'));
const bin = join(work, 'bin');

/** The commands of a reader, as they do here: the one of this repository. */
const COMMANDS: Readonly<Record<string, string>> = {
  penstock: `exec "${process.execPath}" "${join(root, 'bin', 'penstock.js')}" "$@"`,
  npx: 'exec "$@"',
  npm: '[ "$1 $2" = "start --" ] || exit 99; shift 2; exec penstock dev "$@"',
};

beforeAll(async () => {
  mkdirSync(bin);
  for (const [name, script] of Object.entries(COMMANDS)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  await run('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: root });
}, 120_000);

afterAll(() => rmSync(work, { recursive: true, force: true }));

/** One folder a page, with the files that it shows before the block. */
function folderOf({ page, line }: Block): string {
  const folder = join(work, page.replaceAll(/[^\w]/g, '-'));
  mkdirSync(folder, { recursive: true });
  for (const block of blocksOf(page)) {
    const name = block.language === 'yaml' && block.line < line ? fileNameOf(block) : undefined;
    if (name === undefined) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), block.text);
  }
  return folder;
}

function shell(command: string, cwd: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, NO_COLOR: '1' };
  return run('sh', ['-e', '-c', command], { cwd, env, maxBuffer: MOST_OUTPUT });
}

const blocks = pages()
  .flatMap(blocksOf)
  // What needs brokers is run by the suite that has some, what needs containers is read by the one of `deploy/`.
  .filter(({ language, note }) => (language === 'sh' && note === '') || language === 'console');

describe('commands', () => {
  it.each(blocks.map((block) => [`${block.page}:${block.line}`, block] as const))(
    '%s run, and print what is shown',
    async (_, block) => {
      const folder = folderOf(block);
      if (block.language === 'sh') await shell(block.text, folder);
      else
        for (const { command, expected } of sessions(block.text)) {
          const printed = lines((await shell(`{ ${command}\n} 2>&1 || true`, folder)).stdout);
          expect(printed, command).toEqual(matching(expected, printed));
        }
    },
    120_000,
  );

  it('are shown with what they print', () => {
    for (const kind of ['sh', 'console']) expect(blocks.filter(({ language }) => language === kind).length, kind).toBeGreaterThan(1);
  });

  it('a session that prints something else is noticed', () => {
    expect(matching(['a', '…', 'c 1'], ['a', 'b', 'b', 'c 1'])).toEqual(['a', 'b', 'b', 'c 1']);
    expect(matching(['a … c'], ['a b c'])).toEqual(['a b c']);
    expect(matching(['a … c'], ['a b d'])).not.toEqual(['a b d']);
    expect(matching(['a', '…', 'd'], ['a', 'b', 'c'])).not.toEqual(['a', 'b', 'c']);
    expect(matching(['a'], ['a', 'b'])).not.toEqual(['a', 'b']);
  });
});

it('generated parts are fresh', async () => {
  await expect(run(process.execPath, [join(root, 'docs', 'generate.mjs'), '--check'], { cwd: root })).resolves.toBeDefined();
});

interface Session {
  readonly command: string;
  readonly expected: readonly string[];
}

function sessions(text: Block['text']): readonly Session[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...expected] = part.split('\n');
      return { command, expected: lines(expected.join('\n')) };
    });
}

function lines(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** The lines that were printed wherever a page's line fits them, else the page's own. `…` stands for anything in a line, by itself for any lines. */
function matching(expected: readonly string[], printed: readonly string[]): readonly string[] {
  const result: string[] = [];
  let at = 0;
  for (const [index, line] of expected.entries()) {
    if (line.trim() === '…') {
      const next = expected[index + 1];
      const until = next === undefined ? printed.length : printed.findIndex((candidate, place) => place >= at && fits(next, candidate));
      if (until === -1) result.push(line);
      else {
        result.push(...printed.slice(at, until));
        at = until;
      }
      continue;
    }
    const candidate = printed[at];
    result.push(candidate !== undefined && fits(line, candidate) ? candidate : line);
    at += 1;
  }
  return result;
}

function fits(line: string, printed: string): boolean {
  const pattern = line
    .split('…')
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${pattern}$`).test(printed);
}
