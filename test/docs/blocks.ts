import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A fenced block of a page. */
export interface Block {
  /** The page, from the root of the repository. */
  readonly page: string;
  readonly line: number;
  readonly language: string;
  /** What stands behind the language: `broken` for a file that shows a mistake. */
  readonly note: string;
  readonly text: string;
}

/** Every page that a reader is shown. */
export function pages(): string[] {
  const below = ['docs', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
      .map((entry) => relative(root, join(entry.parentPath, entry.name))),
  );
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...below];
}

export function blocksOf(page: string): Block[] {
  const lines = readFileSync(join(root, page), 'utf8').split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const fence = /^(`{3,})(\w*) *(.*)/.exec(lines[at]!);
    if (fence === null) continue;
    const end = lines.indexOf(fence[1]!, at + 1);
    if (end === -1) throw new Error(`${page}:${at + 1}: the block has no end`);
    blocks.push({ page, line: at + 1, language: fence[2]!, note: fence[3]!, text: `${lines.slice(at + 1, end).join('\n')}\n` });
    at = end;
  }
  return blocks;
}

/** The name of the file that a block shows: its first line says it in a comment. */
export function fileNameOf({ text }: Block): string | undefined {
  return /^# ([\w./-]+\.yaml)\n/.exec(text)?.[1];
}

/** Whether a block of TypeScript is tests for a runner, and not a program. */
export function holdsTests({ language, text }: Block): boolean {
  return language === 'ts' && (/\bmarbleTest\(/.test(text) || /from 'vitest';/.test(text));
}
