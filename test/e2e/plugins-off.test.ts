import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cells, tablesOf } from './support/data.js';
import { type Holdings, holdingsOf, outboxOf, publishedBy, reconcile } from './support/reconcile.js';
import { Workspace } from './support/workspace.js';

const EVENTS = 60;

describe('plugins that are absent, empty or disabled', () => {
  let place: Workspace;
  let lines: readonly Buffer[];
  const found = new Map<string, Holdings>();

  beforeAll(async () => {
    place = await Workspace.open({ seed: 5 });
    lines = place.lines(EVENTS);
    const none = { enabled: true, config_path: 'none.yaml' };
    const settings = { plugins: none };
    await place.write('none.yaml', 'plugins: []\n');
    const disabled = ['event_filter', 'esx_processor', 'failure_alerter', 'status_subtype_router'].map((name) => ({
      name,
      enabled: false,
    }));
    await place.write('disabled.yaml', JSON.stringify({ plugins: disabled.map((entry) => ({ ...entry, config: {} })) }));
    const ways = {
      'switched off': {
        plugins: { enabled: false, config_path: 'xact_plugins.yaml' },
        settings: { plugins: { enabled: false, config_path: 'plugins.yaml' } },
      },
      'an empty list': { plugins: none, settings },
      'each disabled': { plugins: { enabled: true, config_path: 'disabled.yaml' }, settings },
      absent: { plugins: {}, settings: { plugins: {} } },
    };
    for (const [way, options] of Object.entries(ways)) {
      const data = join(place.folder, way.replaceAll(' ', '-'));
      if (way === 'absent') for (const name of ['plugins.yaml', 'xact_plugins.yaml']) await rm(join(place.folder, 'config', name));
      await place.configure(options);
      await place.ingest(lines, data);
      const report = await place.untilIdle([], data);
      expect(
        Object.values(report.plugins)
          .flatMap((counts) => Object.values(counts))
          .every((count) => count === 0),
        way,
      ).toBe(true);
      found.set(way, await holdingsOf(data));
    }
  }, 120_000);

  afterAll(() => place.close());

  it('give the same tables and files, in every cell but times of processing', () => {
    const [first, ...others] = [...found.values()];
    expect(first!.files.size).toBeGreaterThan(30);
    expect(reconcile(first!, { lines, filteredType: /^$/ })).toEqual([]);
    for (const other of others) {
      expect(other.tables).toEqual(first!.tables);
      expect([...other.files]).toEqual([...first!.files]);
    }
  });

  it('ask for nothing', () => {
    for (const [way, holdings] of found) {
      expect(publishedBy(holdings), way).toEqual({});
      expect(outboxOf(holdings), way).toEqual([]);
    }
  });

  it('is a comparison that sees a cell that differs', async () => {
    const tables = await tablesOf(join(place.folder, 'an-empty-list'));
    const rows = tables['xact_events']! as readonly Cells[];
    const changed = { ...tables, xact_events: [{ ...rows[0], description: 'another' }, ...rows.slice(1)] };
    expect(changed).not.toEqual(found.get('an empty list')!.tables);
  });
});
