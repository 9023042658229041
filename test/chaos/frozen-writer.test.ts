import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Command, lastLine, unbalanced } from '../e2e/support/command.js';
import { holdingsOf, lastingOf, reconcile } from '../e2e/support/reconcile.js';
import { Workspace } from '../e2e/support/workspace.js';

const HOLDER = fileURLToPath(new URL('hold-the-log.mjs', import.meta.url));

/** The lock of writers is looked into where it is known to lie. */
const isKnown = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');

interface Readiness {
  readonly status: string;
  readonly reasons: readonly string[];
}

describe.skipIf(!isKnown)('a process that stops in the middle of a write', () => {
  let place: Workspace;
  let lines: readonly Buffer[];
  let holder: ChildProcess;

  beforeEach(async () => {
    place = await Workspace.open({ seed: 21, settings: { drain_timeout: '1s' } });
    lines = place.lines(150);
    await place.ingest(lines);
  });

  afterEach(async () => {
    holder.kill('SIGKILL');
    await place.close();
  });

  async function hold(): Promise<number> {
    holder = spawn(process.execPath, [HOLDER, place.data], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout!, 'data');
    return holder.pid!;
  }

  async function running(): Promise<{ readonly worker: Command; readiness(): Promise<Readiness> }> {
    const worker = place.start(['run']);
    const [, url] = await worker.says(/(http:\/\/\S+:\d+)/);
    return { worker, readiness: async () => (await fetch(`${url}/readyz`)).json() as Promise<Readiness> };
  }

  async function nothingLost(): Promise<void> {
    const holdings = await holdingsOf(place.data);
    expect(reconcile(holdings, { lines })).toEqual([]);
    const undisturbed = join(place.folder, 'undisturbed');
    await place.ingest(lines, undisturbed);
    await place.untilIdle([], undisturbed);
    expect(lastingOf(holdings)).toEqual(lastingOf(await holdingsOf(undisturbed)));
  }

  it('makes the others not ready, which name it, and they go on when it does', async () => {
    const { worker, readiness } = await running();
    const pid = await hold();
    await worker.says(/"code":"PS3009"/);
    const { status, reasons } = await readiness();
    expect(status).toBe('not_ready');
    expect(reasons.join('\n')).toContain(
      `PS3009 another process holds the log: intake waits until the log can be written again, process ${pid}, which is stopped,`,
    );
    holder.kill('SIGCONT');
    await worker.says(/intake goes on/);
    await place.untilIdle();
    worker.signal('SIGTERM');
    expect((await worker.ended()).code).toBe(0);
    await nothingLost();
  });

  it('L8: does not keep the others from ending in time, and what they could not write is accounted for', async () => {
    const { worker } = await running();
    await hold();
    await worker.says(/"code":"PS3009"/);
    const began = performance.now();
    worker.signal('SIGTERM');
    const ended = await worker.ended();
    expect(performance.now() - began).toBeLessThan(15_000);
    // A thread that waits for the lock keeps a process from exiting; the signal itself ends it.
    expect([ended.code, ended.signal], ended.stderr).toEqual([null, 'SIGTERM']);
    expect(unbalanced(lastLine(ended))).toEqual([]);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await place.untilIdle();
    await nothingLost();
  });

  it('is named by a command that would start meanwhile', async () => {
    const pid = await hold();
    const ended = await place.run(['topics', 'ls']);
    expect(ended.code, ended.stdout).toBe(69);
    expect(ended.stderr).toContain('PS3009');
    expect(ended.stderr).toContain(`process ${pid}, which is stopped,`);
    holder.kill('SIGCONT');
    await once(holder, 'exit');
    await place.untilIdle();
    await nothingLost();
  });
});
