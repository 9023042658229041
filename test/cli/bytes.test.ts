import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteInput } from '../../src/cli/byte-input.js';
import { byteOutput } from '../../src/cli/byte-output.js';
import { lineBlocks } from '../../src/cli/line-blocks.js';
import { temporary } from './temporary.js';

const folder = temporary();

async function blocksOf(bytes: Buffer, options: { maxLine: number; size?: number }) {
  const file = join(folder, 'lines');
  writeFileSync(file, bytes);
  const fd = openSync(file, 'r');
  try {
    const found = [];
    for await (const block of lineBlocks(byteInput(fd), options)) found.push(block);
    return found;
  } finally {
    closeSync(fd);
  }
}

describe('blocks of lines', () => {
  it('give back every byte in order, cut only at line ends, whatever the lines and their lengths', async () => {
    const line = fc.oneof(
      { weight: 5, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10))) },
      { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 300_000 }).map((length) => Buffer.alloc(length, 120)) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 12 }),
        fc.boolean(),
        fc.constantFrom(100_000, 1 << 22),
        async (lines, ended, maxLine) => {
          const bytes = Buffer.concat(
            lines.flatMap((text, index) => (index < lines.length - 1 || ended ? [text, Buffer.from('\n')] : [text])),
          );
          const blocks = await blocksOf(bytes, { maxLine, size: 70_000 });
          expect(Buffer.concat(blocks.map((block) => block.bytes)).equals(bytes)).toBe(true);
          let long = false;
          for (const [index, block] of blocks.entries()) {
            if (block.kind === 'long_line') {
              long = !block.last;
              expect(block.bytes.subarray(0, -1).includes(10)).toBe(false);
              if (block.last && index < blocks.length - 1) expect(block.bytes.at(-1)).toBe(10);
            } else {
              expect(long).toBe(false);
              if (index < blocks.length - 1) expect(block.bytes.at(-1)).toBe(10);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('a line beyond the limit comes in parts, so that it need not fit into memory', async () => {
    const blocks = await blocksOf(Buffer.concat([Buffer.from('a\n'), Buffer.alloc(900_000, 98), Buffer.from('\nc\n')]), {
      maxLine: 200_000,
      size: 65_536,
    });
    const parts = blocks.filter(({ kind }) => kind === 'long_line');
    expect(parts.length).toBeGreaterThan(2);
    expect(Math.max(...parts.map(({ bytes }) => bytes.length))).toBeLessThan(500_000);
    expect(blocks.at(-1)!.bytes.toString()).toBe('c\n');
  });
});

describe('the output', () => {
  it('writes everything in order and says when there is room', async () => {
    const file = join(folder, 'out');
    const fd = openSync(file, 'w');
    const out = byteOutput(fd);
    let expected = '';
    for (let count = 0; count < 3000; count += 1) {
      const text = `${count} ${'x'.repeat(count % 50)}\n`;
      expected += text;
      out.write(text);
      if (count % 100 === 0) await out.room(1000);
    }
    await out.flush();
    closeSync(fd);
    expect(readFileSync(file, 'utf8')).toBe(expected);
  });

  it('rejects when nothing can be written, now and later', async () => {
    const fd = openSync(join(folder, 'out'), 'r');
    const out = byteOutput(fd);
    out.write('x');
    await expect(out.flush()).rejects.toMatchObject({ code: 'EBADF' });
    out.write('y');
    await expect(out.room(10)).rejects.toMatchObject({ code: 'EBADF' });
    closeSync(fd);
  });
});
