import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Block, blocksOf, holdsTests, pages, root } from './blocks.js';

/** Blocks that are tests themselves stand in a folder of their own while they run. */
const folder = join(root, 'test', 'docs', '.blocks-tests');
const blocks = pages().flatMap(blocksOf).filter(holdsTests);

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

function written({ page, line, text }: Block): string {
  const path = join(folder, `${page.replaceAll(/[^\w]/g, '-')}-${line}.ts`);
  writeFileSync(path, text.replaceAll(/from '\.\//g, `from '../../../${dirname(page)}/`).concat('\nexport {};\n'));
  return path;
}

describe('blocks that are tests', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  it('are there', () => expect(blocks.length).toBeGreaterThan(0));
  for (const block of blocks) {
    const path = written(block);
    describe(`${block.page}:${block.line}`, async () => {
      await import(path);
    });
  }
});
