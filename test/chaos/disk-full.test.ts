import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Command, lastLine, unbalanced } from '../e2e/support/command.js';
import { holdingsOf, lastingOf, reconcile } from '../e2e/support/reconcile.js';
import { Workspace } from '../e2e/support/workspace.js';

const EVENTS = 250;

/** Whether a test may lift a limit that a running process is under. */
const canLift = spawnSync('prlimit', ['--version']).status === 0;

interface Readiness {
  readonly status: string;
  readonly reasons: readonly string[];
}

async function readiness(worker: Command): Promise<Readiness> {
  const [, url] = await worker.says(/(http:\/\/\S+:\d+)/);
  return (await fetch(`${url}/readyz`)).json() as Promise<Readiness>;
}

describe('a disk without room', () => {
  let place: Workspace;
  let lines: readonly Buffer[];

  beforeEach(async () => {
    place = await Workspace.open({ seed: 9, settings: { drain_timeout: '3s' } });
    lines = place.lines(EVENTS);
    await place.ingest(lines);
  });

  afterEach(() => place.close());

  /** A worker whose files may grow no further than the log will soon want to. */
  function cramped(): Command {
    const log = statSync(join(place.data, 'log', 'data.mdb')).size;
    return place.start(['run'], { fileLimitKiB: Math.ceil(log / 1024) + 200 });
  }

  async function stopped(worker: Command): Promise<void> {
    await worker.says(/"code":"PS3002"/);
    await expect.poll(() => readiness(worker), { timeout: 10_000, interval: 50 }).toMatchObject({ status: 'not_ready' });
    expect((await readiness(worker)).reasons.join('\n')).toContain('PS3002 the disk is full');
  }

  async function nothingLost(): Promise<void> {
    const holdings = await holdingsOf(place.data);
    expect(reconcile(holdings, { lines })).toEqual([]);
    await place.ingest(lines, join(place.folder, 'undisturbed'));
    await place.untilIdle([], join(place.folder, 'undisturbed'));
    expect(lastingOf(holdings)).toEqual(lastingOf(await holdingsOf(join(place.folder, 'undisturbed'))));
  }

  it.skipIf(!canLift)('stops intake with a named error; when there is room again everything goes on by itself', async () => {
    const worker = cramped();
    await stopped(worker);
    expect(spawnSync('prlimit', ['--pid', `${worker.pid}`, '--fsize=unlimited']).status).toBe(0);
    await worker.says(/intake goes on/);
    await expect.poll(() => readiness(worker), { timeout: 20_000, interval: 100 }).toMatchObject({ status: 'ready' });
    await place.untilIdle();
    worker.signal('SIGTERM');
    expect((await worker.ended()).code).toBe(0);
    await nothingLost();
  });

  it('loses nothing when the process is ended meanwhile', async () => {
    const worker = cramped();
    await stopped(worker);
    worker.signal('SIGTERM');
    const ended = await worker.ended();
    expect(ended.signal, ended.stderr).toBeNull();
    expect(unbalanced(lastLine(ended))).toEqual([]);
    await place.untilIdle();
    await nothingLost();
  });
});
