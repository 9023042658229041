import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Workspace } from './support/workspace.js';

const FIRST_RETRY = 'xact.downloads.pending.retry.50ms';

let place: Workspace;

beforeAll(async () => {
  place = await Workspace.open({ seed: 11, faults: { unavailable: 0.2 } });
});

afterAll(() => place?.close());

it('L3: with `retry: { order: key }` in its pipeline a run ends as without it, and what it retries has turns', async () => {
  const lines = place.lines(80);
  const retry = { order: 'key', wait: '100ms' };
  const rows = { retry: { order: 'key' } };
  const workers = {
    'xact-event-ingester': { retry },
    'xact-download': { retry },
    'xact-upload': { retry },
    'xact-result-processor': rows,
    'xact-delta-events': rows,
    'xact-actions': { retry },
  };
  const kafka = (ordered: boolean) => ({
    brokers: '',
    xact: {
      plugins: { enabled: true, config_path: 'xact_plugins.yaml' },
      retry_delays: ['50ms', '100ms', '200ms'],
      topics: { work: { partitions: 4 }, retry: { partitions: 1 } },
      ...(ordered ? { workers } : {}),
    },
  });
  const ends = [];
  for (const ordered of [false, true]) {
    const data = join(place.folder, ordered ? 'ordered' : 'plain');
    await place.configure({ settings: { kafka: kafka(ordered) } });
    await place.ingest(lines, data);
    const { left, tables, files } = await place.untilIdle([], data);
    ends.push({ left, tables, files });
    const { stdout } = await place.run(['topics', 'cat', FIRST_RETRY], { data });
    const records = stdout.trim().split('\n');
    expect(records.length).toBeGreaterThan(5);
    const first = records.filter((line) => /"order_turn":"\d+\.\d+\.1"/.test(line));
    expect(first.length).toBe(ordered ? records.length : 0);
  }
  expect(ends[1]).toEqual(ends[0]);
}, 120_000);
