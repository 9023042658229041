import { mkdir, mkdtemp, readdir, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { claimLifeMs, startUpkeep, sweep } from '../../src/cli/upkeep.js';
import { createLogger } from '../../src/observe/index.js';

describe('upkeep', () => {
  it('E7: removes cached files that nobody has touched for a day, and leaves the others and their folders alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'penstock-upkeep-'));
    await mkdir(join(folder, 'xact'));
    await writeFile(join(folder, 'xact', 'old.part'), 'x');
    await writeFile(join(folder, 'xact', 'fresh'), 'x');
    const twoDaysAgo = new Date(Date.now() - 2 * 86_400_000);
    await utimes(join(folder, 'xact', 'old.part'), twoDaysAgo, twoDaysAgo);
    expect(await sweep(folder, Date.now() - 86_400_000)).toBe(1);
    expect(await readdir(join(folder, 'xact'))).toEqual(['fresh']);
  });

  it('a value that a record may name is kept as long as any record may be', () => {
    const DAYS = 86_400_000;
    const topic = (days: number | undefined) => ({ partitions: 1, retentionMs: days === undefined ? undefined : days * DAYS });
    const topics = { work: topic(7), retry: topic(2), deadLetter: topic(30), named: {} };
    expect(claimLifeMs(topics)).toBe((7 + 2 + 30 + 1) * DAYS);
    expect(claimLifeMs({ ...topics, named: { 'xact.dlq': topic(90) } })).toBe((90 + 90 + 90 + 1) * DAYS);
    expect(claimLifeMs({ ...topics, deadLetter: topic(undefined) })).toBeUndefined();
  });

  it('B12: runs by itself, each folder after its own time', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
    const cache = await mkdtemp(join(tmpdir(), 'penstock-upkeep-'));
    const claims = await mkdtemp(join(tmpdir(), 'penstock-upkeep-'));
    for (const folder of [cache, claims]) await writeFile(join(folder, 'file'), 'x');
    const enforced: number[] = [];
    const end = startUpkeep({
      transport: { enforceRetention: (now) => Promise.resolve(enforced.push(now) && 0) },
      folders: [{ path: cache }, { path: claims, staleMs: 3 * 86_400_000 }],
      log: createLogger({ level: 'silent' }),
    });
    vi.setSystemTime(Date.now() + 2 * 86_400_000);
    vi.advanceTimersByTime(60_000);
    await end();
    vi.useRealTimers();
    expect([await readdir(cache), await readdir(claims), enforced.length]).toEqual([[], ['file'], 1]);
  });
});
