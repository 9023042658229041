import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Kv, openKv } from '../../src/storage/kv/index.js';

const key = (text: string): Buffer => Buffer.from(text);

describe('the key-value store', () => {
  let directory: string;
  let kv: Kv;

  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'penstock-kv-')), 'log');
    kv = openKv({ directory, tables: ['a', 'b'] });
  });

  afterEach(async () => {
    await kv.close();
    await rm(join(directory, '..'), { recursive: true, force: true });
  });

  it('makes its directory for its owner alone', async () => {
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
  });

  it('writes all of a transaction or nothing, and reads its own writes', async () => {
    const seen = await kv.transaction(() => {
      kv.table('a').put(key('1'), key('one'));
      return kv.table('a').get(key('1'))?.toString();
    });
    expect(seen).toBe('one');
    const thrown = new Error('no');
    const failing = kv.transaction(() => {
      kv.table('a').put(key('2'), key('two'));
      kv.table('b').put(key('2'), key('two'));
      throw thrown;
    });
    await expect(failing).rejects.toBe(thrown);
    expect([kv.table('a').get(key('1'))?.toString(), kv.table('a').get(key('2')), kv.table('b').get(key('2'))]).toEqual([
      'one',
      undefined,
      undefined,
    ]);
  });

  it('keeps transactions of one turn apart', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        kv.transaction(() => {
          kv.table('a').put(key(`k${index}`), key('v'));
          if (index % 2 === 1) throw new Error('odd');
        }),
      ),
    );
    expect(results.map(({ status }) => status)).toEqual(results.map((_, index) => (index % 2 === 1 ? 'rejected' : 'fulfilled')));
    expect([...kv.table('a').range({})].map((entry) => entry.key.toString())).toEqual(['k0', 'k2', 'k4', 'k6', 'k8']);
  });

  it('reads ranges in both directions, with limits, as buffers that stay', async () => {
    await kv.transaction(() => {
      for (const each of ['a', 'b', 'c', 'd']) kv.table('a').put(key(each), Buffer.alloc(100, each));
    });
    const names = (range: Parameters<ReturnType<Kv['table']>['range']>[0]) =>
      [...kv.table('a').range(range)].map((entry) => entry.key.toString());
    expect(names({ start: key('b'), end: key('d') })).toEqual(['b', 'c']);
    expect(names({ start: key('bb'), reverse: true, limit: 1 })).toEqual(['b']);
    expect(names({ limit: 3 })).toEqual(['a', 'b', 'c']);
    const [first] = kv.table('a').range({});
    await kv.transaction(() => kv.table('a').put(key('a'), Buffer.alloc(100, 'x')));
    expect(first!.value.equals(Buffer.alloc(100, 'a'))).toBe(true);
  });

  it('shows what another handle has written, and counts its changes', async () => {
    const other = openKv({ directory, tables: ['a', 'b'] });
    const before = kv.lastChange();
    await other.transaction(() => other.table('a').put(key('x'), key('y')));
    kv.refresh();
    expect([kv.table('a').get(key('x'))?.toString(), kv.lastChange() > before]).toEqual(['y', true]);
    await other.close();
    expect(kv.table('a').get(key('x'))?.toString()).toBe('y');
  });

  it('names what cannot be opened', async () => {
    expect(() => openKv({ directory: '/dev/null/log', tables: ['a'] })).toThrow(expect.objectContaining({ code: 'PS3001' }));
  });
});
