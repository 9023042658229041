import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lastLine, unbalanced } from './support/command.js';
import { surroundings } from './support/data.js';
import { type Holdings, holdingsOf, lastingOf, reconcile } from './support/reconcile.js';
import { Workspace } from './support/workspace.js';

const EVENTS = 90;

describe('run', () => {
  let place: Workspace;
  let lines: readonly Buffer[];
  let whole: Holdings;

  beforeAll(async () => {
    place = await Workspace.open();
    lines = place.lines(EVENTS);
    await place.ingest(lines);
    const report = await place.untilIdle();
    expect(unbalanced(report)).toEqual([]);
    whole = await holdingsOf(place.data);
  }, 60_000);

  afterAll(() => place.close());

  it('--until-idle ends when everything has left, and every line is accounted for', () => {
    expect(reconcile(whole, { lines })).toEqual([]);
    expect(whole.files.size).toBeGreaterThan(60);
  });

  it('workers in processes of their own give what one process gives', async () => {
    const data = join(place.folder, 'apart');
    await place.ingest(lines, data);
    const groups = [
      ['xact-event-ingester', 'xact-retry'],
      ['xact-download'],
      ['xact-upload', 'xact-actions'],
      ['xact-result-processor', 'xact-delta-events'],
    ];
    const commands = groups.map((names) => place.start(['run', '--no-api', ...names.flatMap((name) => ['--worker', name])], { data }));
    // Looks on until the others are done, and does nothing itself that they should have done.
    const last = await place.untilIdle(['--worker', 'xact-delta-events', '--worker', 'xact-event-ingester'], data);
    expect(unbalanced(last)).toEqual([]);
    const { tables } = whole;
    await expect.poll(async () => (await holdingsOf(data)).tables, { timeout: 20_000, interval: 300 }).toEqual(tables);
    for (const command of commands) command.signal('SIGTERM');
    for (const command of commands) {
      const ended = await command.ended();
      expect(ended.code, ended.stderr).toBe(0);
      expect(unbalanced(lastLine(ended))).toEqual([]);
      expect(Object.keys(lastLine(ended).workers)).toEqual(groups[commands.indexOf(command)]);
    }
    expect(lastingOf(await holdingsOf(data))).toEqual(lastingOf(whole));
  }, 60_000);

  it('L5, L6: two processes with all workers share one backlog and give what one gives', async () => {
    const data = join(place.folder, 'shared');
    await place.ingest(lines, data);
    const reports = await Promise.all([place.untilIdle([], data), place.untilIdle([], data)]);
    expect(reports.flatMap(unbalanced)).toEqual([]);
    const holdings = await holdingsOf(data);
    expect(reconcile(holdings, { lines })).toEqual([]);
    expect(lastingOf(holdings)).toEqual(lastingOf(whole));
    expect(reports.every(({ workers }) => workers['xact-download']!.entered > 0)).toBe(true);
  }, 60_000);

  it('L8: --no-wait-retries ends while retries wait: they leave by released, and the next run does them', async () => {
    await place.configure({ retryDelays: ['20s', '21s', '22s'] });
    const data = join(place.folder, 'impatient');
    await place.ingest(lines, data);
    const report = await place.untilIdle(['--no-wait-retries'], data);
    expect(unbalanced(report)).toEqual([]);
    expect(report.seconds).toBeLessThan(20);
    expect(report.left.retried).toBeGreaterThan(0);
    expect(report.workers['xact-retry']!.left.released).toBe(report.left.retried);
    expect(report.left.released).toBe(report.left.retried);
    const early = await holdingsOf(data);
    expect(early.tables['xact_events']).toEqual(whole.tables['xact_events']);
    expect(early.files.size).toBeLessThan(whole.files.size);
  }, 60_000);

  it('writes nothing beside its data directories', async () => {
    expect(await surroundings(join(place.folder, 'outside'), place.data)).toEqual([]);
  });
});
