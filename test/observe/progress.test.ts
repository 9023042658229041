import { describe, expect, it } from 'vitest';
import { createProgress, pluginLine, workerLine } from '../../src/observe/index.js';

function screen(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  return { stream: { isTTY, columns, write: (text: string) => written.push(text) }, written };
}

describe('progress', () => {
  it('is drawn in place on a terminal', () => {
    const { stream, written } = screen(true, 10);
    let count = 1;
    const progress = createProgress({ stream, lines: () => [`a ${count}`, 'a line that is too long'] });
    progress.draw();
    count = 2;
    progress.draw();
    progress.above('note');
    progress.stop();
    progress.stop();
    expect(written).toEqual([
      'a 1\na line t…\n',
      '\u001b[2A\u001b[0J',
      'a 2\na line t…\n',
      '\u001b[2A\u001b[0J',
      'note\n',
      'a 2\na line t…\n',
    ]);
  });

  it('is written below each other elsewhere, only when something changed', () => {
    const { stream, written } = screen(false, 10);
    let count = 1;
    const progress = createProgress({ stream, lines: () => [`a ${count}`] });
    progress.draw();
    progress.draw();
    count = 2;
    progress.stop();
    expect(written).toEqual(['a 1\n', 'a 2\n']);
  });

  it('shows a worker and its doors, and what plugins did', () => {
    expect(
      workerLine({ worker: 'xact-download', entered: 12, inFlight: 1, left: { delivered: 9, filtered: 0, dead_lettered: 2 } }, 14),
    ).toBe('xact-download   in 12  in flight 1  delivered 9  dead lettered 2');
    expect(pluginLine('xact', { a: { pass: 9 }, b: { act: 2, filter: 1, fail: 1 } })).toBe('xact plugins  b 3 (1 failed)');
    expect(pluginLine('xact', {})).toBe('xact plugins  nothing done yet');
  });
});
