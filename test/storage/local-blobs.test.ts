import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { checkBlobPath, openLocalBlobs } from '../../src/storage/blob/index.js';
import { blobContract } from './blob-contract.js';

const made: string[] = [];
async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-blobs-'));
  made.push(directory);
  return directory;
}
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

blobContract('the local store', async () => openLocalBlobs({ directory: join(await scratch(), 'files') }));

describe('the local store', () => {
  it('leaves nothing behind when a put fails', async () => {
    const directory = await scratch();
    const store = await openLocalBlobs({ directory });
    await expect(store.putFile('a/x', join(directory, 'no such file'))).rejects.toMatchObject({ code: 'PS4107' });
    expect(await readdir(join(directory, '.tmp'))).toEqual([]);
    expect(await store.get('a/x')).toBeUndefined();
  });

  it('a directory where the blob must be, or a blob where a directory must be, is a lasting failure', async () => {
    const directory = await scratch();
    const store = await openLocalBlobs({ directory });
    await mkdir(join(directory, 'taken'));
    await writeFile(join(directory, 'file'), '');
    await expect(store.put('taken', Buffer.from('x'))).rejects.toMatchObject({ code: 'PS4107', category: 'permanent' });
    await expect(store.put('file/x', Buffer.from('x'))).rejects.toMatchObject({ code: 'PS4107', category: 'permanent' });
  });

  it('a frozen file is not copied, and what takes its place later leaves the blob as it was', async () => {
    const directory = await scratch();
    const store = await openLocalBlobs({ directory: join(directory, 'files') });
    const file = join(directory, 'cached');
    await writeFile(file, 'first');
    expect(await store.putFile('a/x', file, { frozen: true })).toEqual({ bytes: 5, existed: false });
    expect((await stat(join(directory, 'files/a/x'))).ino).toBe((await stat(file)).ino);
    expect(await store.putFile('a/x', file, { frozen: true })).toEqual({ bytes: 5, existed: true });
    await writeFile(`${file}.part`, 'second');
    await rename(`${file}.part`, file);
    expect(String(await store.get('a/x'))).toBe('first');
    expect(await store.putFile('a/x', file, { frozen: true, ifAbsent: true })).toEqual({ bytes: 5, existed: true });
    expect(await store.putFile('a/x', file, { frozen: true })).toEqual({ bytes: 6, existed: true });
    expect(String(await store.get('a/x'))).toBe('second');
    await store.delete('a/x');
    expect(await readFile(file, 'utf8')).toBe('second');
    expect(await readdir(join(directory, 'files', '.tmp'))).toEqual([]);
  });

  it('a file that may still be written into is copied', async () => {
    const directory = await scratch();
    const store = await openLocalBlobs({ directory: join(directory, 'files') });
    const file = join(directory, 'mine');
    await writeFile(file, 'first');
    await store.putFile('a/x', file);
    await writeFile(file, 'other');
    expect(String(await store.get('a/x'))).toBe('first');
  });

  it('of files that are stored together, one that cannot be harms only itself', async () => {
    const directory = await scratch();
    const store = await openLocalBlobs({ directory: join(directory, 'files') });
    await store.put('taken', Buffer.from('a blob'));
    const results = await Promise.allSettled(
      Array.from({ length: 24 }, async (_, i) => {
        const file = join(directory, `cached-${i}`);
        if (i % 6 !== 1) await writeFile(file, `file ${i}`);
        return store.putFile(i % 6 === 2 ? `taken/${i}` : `a/${i % 3}/${i}`, file, { frozen: i % 2 === 0 });
      }),
    );
    expect(results.map(({ status }) => status)).toEqual(
      Array.from({ length: 24 }, (_, i) => (i % 6 === 1 || i % 6 === 2 ? 'rejected' : 'fulfilled')),
    );
    for (const [i, { status }] of results.entries())
      if (status === 'fulfilled') expect(String(await store.get(`a/${i % 3}/${i}`))).toBe(`file ${i}`);
  });

  it('puts files together where it is told: what a killed process leaves behind is not among the files', async () => {
    const base = await scratch();
    const [directory, workshop] = [join(base, 'files'), join(base, 'tmp')];
    const store = await openLocalBlobs({ directory, workshop });
    await writeFile(join(base, 'local'), 'one');
    await store.put('a/1', Buffer.from('two'));
    await store.putFile('a/2', join(base, 'local'));
    expect(await readdir(directory, { recursive: true })).toEqual(['a', 'a/1', 'a/2']);
    expect(await readdir(workshop)).toEqual([]);
  });

  it('does not list what is still being written', async () => {
    const directory = await scratch();
    const store = await openLocalBlobs({ directory });
    await writeFile(join(directory, '.tmp', 'half'), 'half');
    const found: unknown[] = [];
    for await (const blob of store.list()) found.push(blob);
    expect(found).toEqual([]);
  });

  it('E17: no text whatever leads out of the store', async () => {
    const directory = await scratch();
    const base = join(directory, 'deep', 'base');
    const store = await openLocalBlobs({ directory: base });
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '', '/', '\\', '\0', '~', '%2e%2e', '..%2f', 'a', '\ud800'),
      fc.string({ unit: 'binary', maxLength: 6 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 5 }), fc.constantFrom('', '/'), async (pieces, glue) => {
        const path = pieces.join(glue);
        try {
          checkBlobPath(path);
        } catch (error) {
          expect(error).toMatchObject({ code: 'PS4111' });
          return;
        }
        await store.put(path, Buffer.from('x')).catch((error: unknown) => expect(error).toMatchObject({ code: 'PS4107' }));
        expect(await readdir(directory)).toEqual(['deep']);
        expect(await readdir(join(directory, 'deep'))).toEqual(['base']);
        await store.delete(path);
      }),
      { numRuns: 150 },
    );
  });
});
