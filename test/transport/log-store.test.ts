import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openKv } from '../../src/storage/kv/index.js';
import { decodeChunk, encodeChunk } from '../../src/transport/embedded/chunk.js';
import { EmbeddedStore } from '../../src/transport/embedded/embedded-store.js';
import { isRunning, processName } from '../../src/transport/embedded/process-name.js';
import type { Beat, Lease, LogStore, WriteUnit } from '../../src/transport/log-store.js';
import { MemoryStore } from '../../src/transport/memory/memory-store.js';
import { prepare } from '../../src/transport/prepared.js';

let directory: string;
let now = 1_000_000;
const open: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-store-'));
  now = 1_000_000;
});

afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  await rm(directory, { recursive: true, force: true });
});

const STORES: Readonly<Record<string, () => Promise<LogStore>>> = {
  memory: () => Promise.resolve(new MemoryStore({ defaultPartitions: 1, now: () => now, fault: () => undefined })),
  embedded: () => EmbeddedStore.open({ directory, defaultPartitions: 1, leaseMs: 1000, pollMs: 25, now: () => now }),
};

function beatOf(member: string): Beat {
  return { group: 'g', member, topics: ['t'], from: 'earliest', surrendered: [] };
}

function unit(lease: Lease, offset: number): WriteUnit {
  const records = [prepare({ topic: 'out', key: null, value: lease.member }, now)];
  const marks = [{ kind: 'mark', store: 'seen', key: lease.member, expiresAt: now + 1000 }] as const;
  return { lease, progress: { offset, beyond: new Uint8Array(0) }, records, marks };
}

for (const [name, make] of Object.entries(STORES)) {
  describe(`the ${name} store`, () => {
    it('L5: refuses all of a commit whose lease has gone to another member', async () => {
      const store = await make();
      open.push(store);
      await store.ensureTopics([{ name: 't', partitions: 1 }]);
      const first = (await store.beat(beatOf('m1'))).granted[0]!;
      const lease = { group: 'g', member: 'm1', topic: 't', partition: 0, epoch: first.epoch };
      expect(await store.write([unit(lease, 1)])).toMatchObject([{ kind: 'written' }]);
      await store.beat(beatOf('m2'));
      await store.leave('g', 'm1');
      const second = (await store.beat(beatOf('m2'))).granted[0]!;
      expect([second.epoch, second.progress?.offset]).toEqual([first.epoch + 1, 1]);
      const marks = store.marks('seen', 10);
      const next = { ...lease, member: 'm2', epoch: second.epoch };
      expect(await store.write([unit(lease, 9), unit(next, 5)])).toMatchObject([{ kind: 'fenced' }, { kind: 'written' }]);
      expect([0, 1].map((offset) => store.read('out', 0, offset)[0]!.value!.toString())).toEqual(['m1', 'm2']);
      expect(store.end('out', 0)).toBe(2);
      expect(store.progress('g', 't', 0)?.offset).toBe(5);
      expect(marks.stats().size).toBe(2);
      expect(await store.write([unit({ ...next, epoch: 99 }, 7)])).toEqual([{ kind: 'fenced' }]);
    });

    it('keeps marks until they expire, and remembers a key again with its new time', async () => {
      const store = await make();
      open.push(store);
      const marks = store.marks('seen', 3);
      const long = 'k'.repeat(5000);
      const add = async (key: string, expiresAt: number): Promise<void> => {
        await store.write([
          { lease: undefined, progress: undefined, records: [], marks: [{ kind: 'mark', store: 'seen', key, expiresAt }] },
        ]);
      };
      await add('a', now + 100);
      await add(long, now + 200);
      await add('a', now + 300);
      expect([marks.has('a', now + 250), marks.has(long, now + 150), marks.has(long, now + 200), marks.has('b', now)]).toEqual([
        true,
        true,
        false,
        false,
      ]);
      expect(marks.stats()).toEqual({ size: 2, evicted: 0 });
      now += 250;
      for (const key of ['b', 'c', 'd']) await add(key, now + 1000);
      expect(marks.stats()).toEqual({ size: 3, evicted: 1 });
      expect(['a', 'b', 'c', 'd', long].filter((key) => marks.has(key, now))).toEqual(['b', 'c', 'd']);
    });

    it('makes a topic that nobody made with its first record', async () => {
      const store = await make();
      open.push(store);
      await store.write([
        { lease: undefined, progress: undefined, records: [prepare({ topic: 'new', key: 'k', value: 'v' }, now)], marks: [] },
      ]);
      expect(store.topics().map(({ name: topic, partitions }) => [topic, partitions])).toEqual([['new', 1]]);
      expect(store.bounds('new')).toEqual([{ partition: 0, start: 0, end: 1 }]);
    });
  });
}

describe('the embedded store', () => {
  it('gives the partitions of a silent member away when its lease has run out', async () => {
    const store = await EmbeddedStore.open({ directory, defaultPartitions: 1, leaseMs: 1000, pollMs: 25, now: () => now });
    open.push(store);
    await store.ensureTopics([{ name: 't', partitions: 2 }]);
    await store.beat(beatOf('m1'));
    now += 900;
    expect((await store.beat(beatOf('m2'))).granted).toEqual([]);
    now += 200;
    expect((await store.beat(beatOf('m2'))).granted.length).toBe(2);
  });

  it('refuses a log of another version', async () => {
    const kv = openKv({ directory, tables: ['meta'] });
    const version = Buffer.alloc(8);
    version.writeDoubleLE(7);
    await kv.transaction(() => kv.table('meta').put(Buffer.from('format'), version));
    await kv.close();
    await expect(STORES['embedded']!()).rejects.toMatchObject({ code: 'PS3003' });
  });

  it('reads records over several chunks, from the middle of one, and large ones', async () => {
    const store = await STORES['embedded']!();
    open.push(store);
    const sizes = [10, 40_000, 40_000, 300_000, 0, 5];
    const records = sizes.map((size) => prepare({ topic: 't', key: null, value: 'v'.repeat(size) }, now));
    await store.write([{ lease: undefined, progress: undefined, records, marks: [] }]);
    for (let from = 0; from < sizes.length; from += 1) {
      const seen: number[] = [];
      for (let next = from; next < sizes.length; ) {
        const read = store.read('t', 0, next);
        seen.push(...read.map(({ value }) => value!.length));
        next = read.at(-1)!.offset + 1;
      }
      expect(seen).toEqual(sizes.slice(from));
    }
    expect(store.read('t', 0, sizes.length)).toEqual([]);
  });
});

describe('a chunk', () => {
  it('that was damaged is an error, whichever bit it was', () => {
    const chunk = encodeChunk([prepare({ topic: 't', key: 'k', value: 'v', headers: { h: '1' } }, now)]);
    expect(decodeChunk(chunk, 't', 0, 5, 0)).toHaveLength(1);
    for (let at = 0; at < chunk.length; at += 1) {
      const damaged = Buffer.from(chunk);
      damaged[at] = damaged[at]! ^ 0x10;
      expect(() => decodeChunk(damaged, 't', 0, 5, 0)).toThrow('damaged');
    }
    expect(() => decodeChunk(chunk.subarray(0, 10), 't', 0, 5, 0)).toThrow('damaged');
  });
});

describe('the name of a process', () => {
  it('tells whether it is still there', () => {
    const mine = processName();
    expect(isRunning(mine)).toBe(true);
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    const [space] = mine.split('|');
    expect(isRunning(`${space}|${pid}|12345`)).toBe(false);
  });

  it.skipIf(process.platform !== 'linux')('is another when the same process id is used again', () => {
    const [space, pid, started] = processName().split('|');
    expect(isRunning(`${space}|${pid}|${Number(started) - 1}`)).toBe(false);
  });

  it('counts as alive where it cannot be seen', () => {
    expect(isRunning('another host pid:[1]|1|1')).toBe(true);
  });
});
