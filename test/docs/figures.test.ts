import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtCommand } from '../e2e/support/built.js';
import { run } from '../e2e/support/command.js';
import { pages, root } from './blocks.js';

const folder = join(root, 'docs', 'figures');
const figures = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.svg'));

describe('the figures of the pages', () => {
  it('are there', () => expect(figures.length).toBeGreaterThan(25));

  it('are each of a specification that is there', () => {
    const specs = new Set(readdirSync(join(root, 'marbles'), { recursive: true, encoding: 'utf8' }));
    const isOf = (name: string) => specs.has(name.replace('.svg', '.marbles.ts')) || specs.has(`${dirname(name)}.marbles.yaml`);
    expect(figures.filter((name) => !isOf(name))).toEqual([]);
  });

  it('of specifications in YAML are as these play', async () => {
    builtCommand();
    const specs = new Set(figures.filter((name) => dirname(dirname(name)) !== '.').map((name) => `marbles/${dirname(name)}.marbles.yaml`));
    expect(specs.size).toBeGreaterThan(0);
    const checked = await run(['marbles', 'render', ...specs, '--out', 'docs/figures', '--check'], { cwd: root });
    expect(checked).toMatchObject({ code: 0, stdout: '' });
  }, 120_000);

  it('are each shown by a page, with its text', () => {
    const shown = new Map<string, string>();
    for (const page of pages()) {
      for (const [, text, path] of readFileSync(join(root, page), 'utf8').matchAll(/!\[((?:[^\]\\]|\\.)*)\]\(([^)]+\.svg)\)/g)) {
        shown.set(relative(folder, join(root, dirname(page), path!)), text!);
      }
    }
    expect(figures.filter((name) => !((shown.get(name)?.length ?? 0) > 20))).toEqual([]);
  });

  it.each(figures)('%s is small, for light and dark, and says what it shows', (name) => {
    expect(statSync(join(folder, name)).size).toBeLessThan(12_000);
    const svg = readFileSync(join(folder, name), 'utf8');
    expect(svg).toMatch(
      /^<svg [^>]*role="img" aria-labelledby="(\w+) (\w+)"[^>]*>\n<title id="\1">[^<]+<\/title>\n<desc id="\2">[^<]+<\/desc>/,
    );
    expect(svg).toContain('@media(prefers-color-scheme:dark)');
  });
});
