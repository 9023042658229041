import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtCommand } from './support/built.js';
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

describe('a plugin that leaves a promise behind', () => {
  it('L10: is told of when the promise fails, and nothing else is', async () => {
    const place = await Workspace.open({ seed: 43, plugins: { enabled: true, config_path: 'stray.yaml' } });
    try {
      const lines = place.lines(30);
      await place.write(
        'stray.mjs',
        `import { definePlugin } from ${JSON.stringify(join(dirname(builtCommand()), '..', 'dist', 'src', 'plugin', 'index.js'))};
        export default definePlugin({ name: 'stray', version: '1.0.0', summary: 'Leaves a promise behind.', domains: ['xact'], stages: ['event_ingest'],
          create: () => () => { void Promise.reject(new Error('left behind')); } });`,
      );
      await place.write('stray.yaml', JSON.stringify({ plugins: [{ name: 'stray', module: './stray.mjs' }] }));
      await place.ingest(lines);
      const ended = await place.run(['run', '--until-idle', '--no-api']);
      expect([ended.code, ended.signal], ended.stderr.slice(-1000)).toEqual([0, null]);
      expect(ended.stderr).toContain('left behind');
      expect(reconcile(await holdingsOf(place.data), { lines, filteredType: /^$/ })).toEqual([]);
    } finally {
      await place.close();
    }
  });
});
