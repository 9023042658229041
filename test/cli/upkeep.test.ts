import { mkdir, mkdtemp, readdir, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sweep } from '../../src/cli/upkeep.js';

describe('upkeep', () => {
  it('E7: removes cached files that nobody has touched for a day, and leaves the others and their folders alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'penstock-upkeep-'));
    await mkdir(join(folder, 'xact'));
    await writeFile(join(folder, 'xact', 'old.part'), 'x');
    await writeFile(join(folder, 'xact', 'fresh'), 'x');
    const twoDaysAgo = new Date(Date.now() - 2 * 86_400_000);
    await utimes(join(folder, 'xact', 'old.part'), twoDaysAgo, twoDaysAgo);
    expect(await sweep([folder], Date.now() - 86_400_000)).toBe(1);
    expect(await readdir(join(folder, 'xact'))).toEqual(['fresh']);
  });
});
