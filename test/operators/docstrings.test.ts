import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const files = readdirSync(new URL('operators/', root)).filter((name) => name.endsWith('.ts'));

/** The lanes in a comment or a specification, one a line, without what stands around them. */
function lanesIn(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^[\s*]+/, '').trimEnd())
    .filter((line) => line !== '');
}

describe('what the comment of an operator draws is the first case of its specification', () => {
  const drawn = files.flatMap((file) => {
    const block = /```marbles\n([\s\S]*?)```/.exec(read(`operators/${file}`));
    return block === null ? [] : [[file.replace('.ts', ''), lanesIn(block[1]!)] as const];
  });

  it('sees the operators', () => expect(drawn.length).toBeGreaterThan(15));

  it.each(drawn)('%s', (name, lanes) => {
    const path = `marbles/operators/${name}.marbles.ts`;
    expect(existsSync(new URL(path, root)), `${path} is missing`).toBe(true);
    const first = /`\n([\s\S]*?)`/.exec(read(path));
    expect(lanesIn(first?.[1] ?? '')).toEqual(lanes);
  });
});
