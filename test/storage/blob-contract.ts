import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BlobStore } from '../../src/storage/blob/index.js';

/** Paths that no store may take, each with what is wrong with it. */
export const HOSTILE_PATHS: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['absolute', '/etc/passwd'],
  ['parent', '../x'],
  ['parent within', 'a/../../x'],
  ['parent at the end', 'a/..'],
  ['dot', './x'],
  ['dot within', 'a/./x'],
  ['empty segment', 'a//x'],
  ['directory', 'a/'],
  ['backslash', 'a\\..\\x'],
  ['NUL', 'a\0b'],
  ['line break', 'a\nb'],
  ['delete', 'a\u007fb'],
  ['C1 control', 'a\u0085b'],
  ['4 KB name', 'x'.repeat(4096)],
  ['name of 256 bytes', `a/${'é'.repeat(128)}`],
  ['path over 1024 bytes', Array.from({ length: 10 }, () => 'y'.repeat(120)).join('/')],
  ['half a character', 'a\ud800b'],
];

/** What every blob store promises. `make` gives an empty store. */
export function blobContract(name: string, make: () => Promise<BlobStore>): void {
  describe(`${name} is a blob store`, () => {
    let store: BlobStore;
    let scratch: string;
    beforeEach(async () => {
      store = await make();
      scratch = await mkdtemp(join(tmpdir(), 'penstock-blob-'));
    });
    afterEach(() => rm(scratch, { recursive: true, force: true }));

    const paths = async (prefix?: string) => {
      const found: string[] = [];
      for await (const { path } of store.list(prefix)) found.push(path);
      return found.sort();
    };

    it('gives back the bytes that were put', async () => {
      const bytes = Buffer.from([0, 1, 2, 255, 10, 13]);
      expect(await store.put('a/b/c.bin', bytes)).toEqual({ bytes: 6, existed: false });
      expect(await store.get('a/b/c.bin')).toEqual(bytes);
      expect(await store.head('a/b/c.bin')).toEqual({ bytes: 6 });
    });

    it('stores an empty blob', async () => {
      await store.put('empty', new Uint8Array());
      expect(await store.get('empty')).toEqual(Buffer.alloc(0));
    });

    it('stores a file and leaves the file where it is', async () => {
      const file = join(scratch, 'source');
      const bytes = Buffer.alloc(3_000_000, 'penstock ');
      await writeFile(file, bytes);
      expect(await store.putFile('big', file)).toEqual({ bytes: 3_000_000, existed: false });
      const digest = (content: Buffer) => createHash('sha256').update(content).digest('hex');
      expect(digest((await store.get('big'))!)).toBe(digest(bytes));
      expect(digest(await readFile(file))).toBe(digest(bytes));
    });

    it('writing again replaces, and says that something was there', async () => {
      await store.put('x', Buffer.from('first'));
      expect(await store.put('x', Buffer.from('second!'))).toEqual({ bytes: 7, existed: true });
      expect(String(await store.get('x'))).toBe('second!');
    });

    it('ifAbsent leaves what is there, and tells its size', async () => {
      await store.put('x', Buffer.from('first'));
      expect(await store.put('x', Buffer.from('second!'), { ifAbsent: true })).toEqual({ bytes: 5, existed: true });
      expect(String(await store.get('x'))).toBe('first');
      expect(await store.put('y', Buffer.from('new'), { ifAbsent: true })).toEqual({ bytes: 3, existed: false });
    });

    it('of many that put the same absent path at once, exactly one does', async () => {
      const results = await Promise.all(
        Array.from({ length: 16 }, (_, i) => store.put('race/x', Buffer.from(`writer ${i}`), { ifAbsent: true })),
      );
      expect(results.filter(({ existed }) => !existed)).toHaveLength(1);
      const winner = results.findIndex(({ existed }) => !existed);
      expect(String(await store.get('race/x'))).toBe(`writer ${winner}`);
    });

    it('a reader never sees half a blob while it is replaced', async () => {
      const versions = [Buffer.alloc(200_000, 'a'), Buffer.alloc(300_000, 'b')];
      await store.put('x', versions[0]!);
      let writing = true;
      const writer = (async () => {
        for (let i = 0; i < 20; i += 1) await store.put('x', versions[i % 2]!);
        writing = false;
      })();
      while (writing) {
        const seen = (await store.get('x'))!;
        expect(versions.some((version) => version.equals(seen))).toBe(true);
      }
      await writer;
    });

    it('what is not there is nothing', async () => {
      expect(await store.get('no/such')).toBeUndefined();
      expect(await store.head('no/such')).toBeUndefined();
      await store.put('a', Buffer.from('1'));
      expect(await store.get('a/below/a/blob')).toBeUndefined();
      await store.put('d/x', Buffer.from('1'));
      expect(await store.head('d')).toBeUndefined();
      await store.delete('no/such');
    });

    it('lists by prefix, which is text and not a directory', async () => {
      for (const path of ['a/b', 'a/bc', 'a/bd/x', 'a/c', 'b']) await store.put(path, Buffer.from('1'));
      expect(await paths()).toEqual(['a/b', 'a/bc', 'a/bd/x', 'a/c', 'b']);
      expect(await paths('a/b')).toEqual(['a/b', 'a/bc', 'a/bd/x']);
      expect(await paths('a/')).toEqual(['a/b', 'a/bc', 'a/bd/x', 'a/c']);
      expect(await paths('z')).toEqual([]);
    });

    it('deletes, and what was deleted can be put again', async () => {
      await store.put('a/b/c', Buffer.from('1'));
      await store.delete('a/b/c');
      expect(await store.get('a/b/c')).toBeUndefined();
      expect(await paths()).toEqual([]);
      await store.put('a/b/c', Buffer.from('2'));
      expect(String(await store.get('a/b/c'))).toBe('2');
    });

    it('puts and deletes beside each other do not disturb each other', async () => {
      await Promise.all(
        Array.from({ length: 30 }, async (_, i) => {
          await store.put(`shared/dir/${i}`, Buffer.from(String(i)));
          if (i % 2 === 0) await store.delete(`shared/dir/${i}`);
        }),
      );
      expect(await paths('shared/')).toHaveLength(15);
    });

    it('takes names that are odd and harmless', async () => {
      for (const path of ['a b/c=d%25:é', '...', '..a/b..', '🦆/~', 'it\'s "quoted"', '.hidden', `x/${'n'.repeat(255)}`]) {
        await store.put(path, Buffer.from(path));
        expect(String(await store.get(path))).toBe(path);
      }
    });

    it.each(HOSTILE_PATHS)('E17: refuses a path that is not plainly below it: %s', async (_, path) => {
      const refused = { code: 'PS4111', category: 'permanent' };
      await expect(store.put(path, Buffer.from('x'))).rejects.toMatchObject(refused);
      await expect(store.putFile(path, join(scratch, 'none'))).rejects.toMatchObject(refused);
      await expect(store.get(path)).rejects.toMatchObject(refused);
      await expect(store.head(path)).rejects.toMatchObject(refused);
      await expect(store.delete(path)).rejects.toMatchObject(refused);
    });
  });
}
