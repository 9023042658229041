import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as Blobs from '../../src/storage/blob/index.js';
import { blobContract } from './blob-contract.js';
import { buildTables } from './built.js';

const made: string[] = [];
async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-placing-'));
  made.push(directory);
  return directory;
}
let built: typeof Blobs;
beforeAll(async () => {
  built = (await import(new URL('../blob/index.js', await buildTables()).href)) as typeof Blobs;
}, 60_000);
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

blobContract('the local store with its thread', async () =>
  built.openLocalBlobs({ directory: join(await scratch(), 'files'), run: 'thread' }),
);

describe('the thread that puts files in place', () => {
  it('tells what went wrong as the store itself would', async () => {
    const directory = await scratch();
    const store = await built.openLocalBlobs({ directory: join(directory, 'files'), run: 'thread' });
    await store.put('taken', Buffer.from('a blob'));
    await writeFile(join(directory, 'cached'), 'content');
    await expect(store.putFile('a/x', join(directory, 'no such file'))).rejects.toMatchObject({
      code: 'PS4107',
      category: 'transient',
      cause: { code: 'ENOENT' },
    });
    await expect(store.putFile('taken/x', join(directory, 'cached'))).rejects.toMatchObject({ code: 'PS4107', category: 'permanent' });
    expect(await store.putFile('a/x', join(directory, 'cached'), { frozen: true })).toEqual({ bytes: 7, existed: false });
  });
});
