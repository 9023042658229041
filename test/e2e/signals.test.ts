import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Command, lastLine, run, start, unbalanced } from './support/command.js';
import { holdingsOf, reconcile } from './support/reconcile.js';
import { simulate } from '../../src/simulator/index.js';

describe('a signal', () => {
  let folder: string;
  let data: string;
  let command: Command | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penstock-signal-'));
    data = join(folder, 'data');
  });

  afterEach(async () => {
    await command?.kill();
    await rm(folder, { recursive: true, force: true });
  });

  const begin = async (args: readonly string[]): Promise<Command> => {
    command = start([...args, '--json', '--data', data], { cwd: folder });
    await command.says(/\/readyz/);
    await new Promise((resolve) => setTimeout(resolve, 700)); // in the middle of something
    return command;
  };

  it.each([
    { signal: 'SIGINT', code: 130 },
    { signal: 'SIGTERM', code: 0 },
  ] as const)(
    'L8: $signal drains a main job that would not end, and the exit code is $code',
    async ({ signal, code }) => {
      const job = await begin(['dev', '--rate', '100']);
      job.signal(signal);
      const ended = await job.ended();
      expect(ended.code, ended.stderr).toBe(code);
      const report = lastLine(ended);
      expect(unbalanced(report)).toEqual([]);
      expect(report.entered).toBeGreaterThan(0);
    },
    30_000,
  );

  it('L1, L8: what an interrupted job left behind is done by the next one', async () => {
    const events = 120;
    const args = ['dev', '--events', `${events}`, '--seed', '3'];
    const job = await begin(args);
    job.signal('SIGINT');
    const ended = await job.ended();
    expect(ended.code, ended.stderr).toBe(130);
    expect(unbalanced(lastLine(ended))).toEqual([]);
    const again = await run([...args, '--json', '--data', data], { cwd: folder });
    expect(again.code, again.stderr).toBe(0);
    expect(reconcile(await holdingsOf(data), { lines: [...simulate({ seed: '3', events })] })).toEqual([]);
  }, 30_000);

  it('a second Ctrl-C ends at once', async () => {
    const job = await begin(['dev', '--rate', '100']);
    job.signal('SIGINT');
    job.signal('SIGINT');
    expect((await job.ended()).code).toBe(130);
  }, 30_000);

  it('run ends by SIGTERM with 0, also with nothing to do', async () => {
    const job = await begin(['run']);
    job.signal('SIGTERM');
    const ended = await job.ended();
    expect(ended.code, ended.stderr).toBe(0);
    expect(lastLine(ended).entered).toBe(0);
  }, 30_000);
});
