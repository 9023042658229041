import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdingsOf, reconcile } from './support/reconcile.js';
import { Workspace } from './support/workspace.js';

describe('a data directory of which something is missing', () => {
  let place: Workspace;
  let lines: readonly Buffer[];

  beforeEach(async () => {
    place = await Workspace.open({ seed: 41 });
    lines = place.lines(40);
    await place.ingest(lines);
    await place.untilIdle();
  });

  afterEach(() => place.close());

  it('a table that is gone is told of, since nothing writes its rows again; ingesting again does, once each', async () => {
    await rm(join(place.data, 'tables', 'xact_events'), { recursive: true });
    const ended = await place.run(['run', '--until-idle', '--no-api']);
    expect(ended.code).toBe(0);
    const told = ended.stderr.split('\n').filter((line) => line.includes('the table is new, but the log is not'));
    expect(told).toHaveLength(1);
    expect(JSON.parse(told[0]!)).toMatchObject({ level: 'error', table: 'xact_events', worker: 'xact-delta-events' });
    await place.ingest(lines);
    expect((await place.run(['run', '--until-idle', '--no-api'])).stderr).not.toContain('the table is new');
    expect(reconcile(await holdingsOf(place.data), { lines })).toEqual([]);
  });

  it('a table whose log is gone keeps the workers from starting, by name', async () => {
    await rm(join(place.data, 'tables', 'xact_attachments', '_delta_log'), { recursive: true });
    const ended = await place.run(['run', '--until-idle', '--no-api']);
    expect(ended.code).toBe(69);
    expect(ended.stderr).toContain('PS3012');
  });
});
