// The first case of each specification in code is a figure of the documentation. Each run compares it with the committed file, or writes it when
// `PENSTOCK_FIGURES=write` says so.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, type RunnerTask, type RunnerTestFile } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const { testPath = '' } = expect.getState();
const spec = /^marbles\/(.+)\.marbles\.ts$/.exec(relative(root, testPath).split(sep).join('/'));

if (spec !== null) await drawFirstCase(join(root, 'docs', 'figures', `${spec[1]}.svg`));

async function drawFirstCase(path: string): Promise<void> {
  const { drawingOf, meaningsOf, renderMarbles } = await import('../src/testing/picture/index.js');
  const { watchPlays } = await import('../src/testing/play-watch.js');
  type Play = Parameters<Parameters<typeof watchPlays>[0]>[0];
  let plays: Play[] = [];
  watchPlays((play) => plays.push(play));
  beforeEach(() => {
    plays = [];
  });
  afterEach(({ task }) => {
    const [play] = plays;
    if (task !== firstTest(task.file) || play === undefined || play.problems.length > 0) return;
    const title = task.name.replace(/^(?:[A-Z]\d+(?:, )?)+: /, '');
    const svg = renderMarbles(drawingOf(play, { title, subject: task.suite?.name ?? '', letters: meaningsOf(play) }));
    const name = relative(root, path).split(sep).join('/');
    if (process.env['PENSTOCK_FIGURES'] === 'write') {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, svg);
    } else expect(committed(path) === svg, `${name} is stale: npm run docs`).toBe(true);
  });
}

function firstTest(file: RunnerTestFile): RunnerTask | undefined {
  const first = (tasks: readonly RunnerTask[]): RunnerTask | undefined => {
    const [task] = tasks;
    return task?.type === 'suite' ? first(task.tasks) : task;
  };
  return first(file.tasks);
}

function committed(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
