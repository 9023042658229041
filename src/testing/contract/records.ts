import { expect, it } from 'vitest';
import type { NewRecord } from '../../transport/transport.js';
import { doorOf, until } from './collector.js';
import { fresh, type Bench } from './bench.js';

/** What the log keeps: records, topics, retention. */
export function recordTests({ collect, open, readAll, topicOf }: Bench): void {
  it('keeps values, keys, binary and repeated headers, tombstones and timestamps as they are (C9)', async () => {
    const { transport } = await open();
    const topic = await topicOf(transport);
    const bytes = Buffer.from([0, 255, 128, 10, 13]);
    const sent: readonly NewRecord[] = [
      { topic, key: 'k', value: 'v', headers: { name: 'wért' }, timestamp: 1_700_000_000_123 },
      { topic, key: null, value: null },
      {
        topic,
        key: bytes,
        value: bytes,
        headers: [
          ['h', bytes],
          ['h', Buffer.alloc(0)],
          ['', Buffer.from('x')],
        ],
      },
      { topic, key: '', value: '' },
    ];
    const positions = await transport.produce(sent);
    expect(positions.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
    const got = await readAll(transport, topic);
    expect(got[0]).toMatchObject({ topic, partition: 0, offset: 0, timestamp: 1_700_000_000_123 });
    expect([got[0]!.key, got[0]!.value, got[0]!.headers]).toEqual([Buffer.from('k'), Buffer.from('v'), [['name', Buffer.from('wért')]]]);
    expect([got[1]!.key, got[1]!.value, got[1]!.headers]).toEqual([null, null, []]);
    expect([got[2]!.key, got[2]!.value]).toEqual([bytes, bytes]);
    expect(got[2]!.headers).toEqual([
      ['h', bytes],
      ['h', Buffer.alloc(0)],
      ['', Buffer.from('x')],
    ]);
    expect([got[3]!.key, got[3]!.value]).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
  });

  it('puts a key where the reference client of the log would, and takes turns without one', async () => {
    const { transport } = await open();
    const topic = await topicOf(transport, 10);
    const keys = [
      '21',
      'foobar',
      'a-little-bit-long-string',
      'a-little-bit-longer-string',
      'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8',
    ];
    const positions = await transport.produce(keys.map((key) => ({ topic, key, value: key })));
    const hashes = [-973932308, -790332482, -985981536, -1486304829, -58897971];
    expect(positions.map(({ partition }) => partition)).toEqual(hashes.map((hash) => (hash & 0x7fffffff) % 10));
    const keyless = await transport.produce(Array.from({ length: 100 }, () => ({ topic, key: null, value: 'x' })));
    expect(new Set(keyless.map(({ partition }) => partition)).size).toBeGreaterThan(1);
  });

  it('reads any topic without a group, from any offset, to its end of now', async () => {
    const { transport } = await open();
    const topic = await topicOf(transport, 1, ['a', 'b', 'c']);
    expect((await readAll(transport, topic, 0, 1)).map(({ offset }) => offset)).toEqual([1, 2]);
    expect(await readAll(transport, topic, 0, 3)).toEqual([]);
    expect(await transport.offsets(topic)).toEqual([{ partition: 0, start: 0, end: 3 }]);
    await expect(transport.offsets(fresh('nobody'))).rejects.toThrow('no topic');
  });

  it('creates topics once, grows their partitions, and keeps their identity', async () => {
    const { transport } = await open();
    const topic = await topicOf(transport, 2, ['a']);
    const identity = await transport.identity(topic);
    await transport.ensureTopics([{ name: topic, partitions: 1 }]);
    expect((await transport.offsets(topic)).length).toBe(2);
    await transport.ensureTopics([{ name: topic, partitions: 3 }]);
    expect((await transport.offsets(topic)).length).toBe(3);
    expect(await transport.identity(topic)).toBe(identity);
    const second = await topicOf(transport);
    expect(await transport.identity(second)).not.toBe(identity);
    expect((await transport.topics()).filter(({ name: known }) => known === topic)).toMatchObject([{ name: topic, partitions: 3 }]);
  });

  it('deletes what is past its retention, and goes on from what is left', async () => {
    const { transport } = await open();
    const topic = fresh('short');
    await transport.ensureTopics([{ name: topic, partitions: 1, retentionMs: 1000 }]);
    const now = Date.now();
    for (const age of [5000, 4000, 10]) await transport.produce([{ topic, key: null, value: `${age}`, timestamp: now - age }]);
    expect(await transport.enforceRetention(now)).toBe(2);
    expect(await transport.offsets(topic)).toEqual([{ partition: 0, start: 2, end: 3 }]);
    const collector = collect(transport, { topics: [topic], group: 'g' });
    await collector.has(1);
    expect(collector.values).toEqual(['10']);
    collector.deliveries[0]!.settle('delivered');
    await until('the commit', async () => (await transport.backlog('g', [topic])) === 0);
  });

  it('refuses a record that no partition can hold, and releases the claim that carries it', async () => {
    const { transport } = await open();
    const topic = await topicOf(transport, 1, ['a']);
    await expect(transport.produce([{ topic, partition: 7, key: null, value: 'x' }])).rejects.toMatchObject({ category: 'permanent' });
    const collector = collect(transport, { topics: [topic], group: 'g' });
    const [a] = await collector.has(1);
    a!.carry({ kind: 'produce', record: { topic, partition: 7, key: null, value: 'x' } });
    a!.settle('delivered');
    expect(await doorOf(a!)).toBe('released');
  });
}
