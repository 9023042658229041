import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { simulate } from '../../src/simulator/index.js';
import { type Ended, lastLine, run, type RunReport, unbalanced } from './support/command.js';
import { type Cells, surroundings } from './support/data.js';
import { deadLetterSet, type Holdings, holdingsOf, publishedBy, reconcile } from './support/reconcile.js';

const EVENTS = 250;
const SEED = 7;

describe('the main job, to its end', () => {
  let folder: string;
  let data: string;
  let first: Ended;
  let second: Ended;
  let before: Holdings;
  let after: Holdings;
  const lines = [...simulate({ seed: SEED, events: EVENTS })];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penstock-main-'));
    data = join(folder, 'data');
    const args = ['dev', '--events', `${EVENTS}`, '--seed', `${SEED}`, '--json', '--data', data];
    first = await run(args, { cwd: folder });
    before = await holdingsOf(data);
    second = await run(args, { cwd: folder });
    after = await holdingsOf(data);
  }, 120_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('exits with 0 and prints one JSON object as its last line, in which everything that entered has left', () => {
    expect(first.code, first.stderr).toBe(0);
    const report = lastLine(first);
    expect(unbalanced(report)).toEqual([]);
    expect(Object.keys(report)).toEqual(['entered', 'left', 'workers', 'tables', 'files', 'actions', 'plugins', 'seconds']);
    expect(Object.keys(report.left)).toEqual(['delivered', 'filtered', 'retried', 'dead_lettered', 'released']);
    expect(Object.keys(report.workers)).toContain('xact-download');
    expect(Object.keys(report.workers)).toHaveLength(7);
    expect(report.left.released).toBe(0);
    expect(report.left.retried).toBeGreaterThan(0);
  });

  it('L1, G14: every line is accounted for: rows and files, filtered, or a dead letter', () => {
    expect(reconcile(before, { lines })).toEqual([]);
  });

  it('the account finds whatever is taken away or doubled', () => {
    const { tables } = before;
    const spoilt = (name: string, change: (rows: readonly Cells[]) => readonly Cells[]): number =>
      reconcile({ ...before, tables: { ...tables, [name]: change(tables[name]!) } }, { lines }).length;
    for (const name of Object.keys(tables)) {
      expect(
        spoilt(name, (rows) => rows.slice(1)),
        `a row less in ${name}`,
      ).toBeGreaterThan(0);
      expect(
        spoilt(name, (rows) => [...rows, rows[0]!]),
        `a row twice in ${name}`,
      ).toBeGreaterThan(0);
    }
    const files = new Map([...before.files].slice(1));
    expect(reconcile({ ...before, files }, { lines }).length).toBeGreaterThan(0);
    for (const gone of before.deadLetters) {
      const others = before.deadLetters.filter((letter) => letter !== gone);
      expect(reconcile({ ...before, deadLetters: others }, { lines }).length, `without ${gone.worker} ${gone.reason}`).toBeGreaterThan(0);
    }
  });

  it('reports the totals that lie on disk', () => {
    const report = lastLine(first);
    expect(report.tables).toEqual(Object.fromEntries(Object.entries(before.tables).map(([name, rows]) => [name, rows.length])));
    expect(report.files).toBe(before.files.size);
    expect(report.files).toBeGreaterThan(EVENTS / 2);
  });

  it('L6: a second run on the same data ingests the same events: rows and files are what they were', () => {
    expect(second.code, second.stderr).toBe(0);
    const report: RunReport = lastLine(second);
    expect(unbalanced(report)).toEqual([]);
    expect(report.workers['xact-delta-events']!.entered).toBe(lastLine(first).workers['xact-delta-events']!.entered);
    expect(after.tables).toEqual(before.tables);
    expect([...after.files]).toEqual([...before.files]);
    expect(deadLetterSet(after)).toEqual(deadLetterSet(before));
    expect(publishedBy(after)).toEqual(publishedBy(before));
  });

  it('writes nothing outside its data directory', async () => {
    expect(await surroundings(folder, data)).toEqual([]);
  });
});
