import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balance, nameOf } from '../../src/transport/balance.js';
import { beatGroup, emptyGroup, leaveGroup } from '../../src/transport/group.js';

const TOPICS = ['a', 'b', 'c'];

const groups = fc.record({
  members: fc.uniqueArray(fc.nat(20), { minLength: 1, maxLength: 6 }).map((ids) => ids.map((id) => ({ id: `m${id}`, topics: TOPICS }))),
  partitions: fc
    .tuple(fc.nat(9), fc.nat(4), fc.nat(1))
    .map((counts) =>
      counts.flatMap((count, topic) => Array.from({ length: count }, (_, partition) => ({ topic: TOPICS[topic]!, partition }))),
    ),
  owners: fc.array(fc.nat(25), { minLength: 14, maxLength: 14 }),
});

describe('balancing', () => {
  it('gives every partition to one member, evenly in each topic', () => {
    fc.assert(
      fc.property(groups, ({ members, partitions, owners }) => {
        const before = new Map(partitions.map((partition, index) => [nameOf(partition), `m${owners[index]}`]));
        const target = balance(members, partitions, before);
        expect(target.size).toBe(partitions.length);
        for (const topic of TOPICS) {
          const counts = members.map(
            ({ id }) => partitions.filter((partition) => partition.topic === topic && target.get(nameOf(partition)) === id).length,
          );
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
        expect(balance(members, partitions, target)).toEqual(target);
      }),
    );
  });

  it('gives a topic only to members that read it', () => {
    const members = [
      { id: 'm1', topics: ['a'] },
      { id: 'm2', topics: ['a', 'b'] },
    ];
    const partitions = ['a', 'b', 'b', 'd'].map((topic, partition) => ({ topic, partition }));
    const target = balance(members, partitions, new Map());
    expect([...target].filter(([name]) => name.startsWith('b')).map(([, id]) => id)).toEqual(['m2', 'm2']);
    expect(target.has(nameOf({ topic: 'd', partition: 3 }))).toBe(false);
  });
});

describe('a group', () => {
  const input = { now: 0, expiresAt: 100, process: 'p', partitionsOf: () => 4, isAlive: () => true };
  const beat = (member: string, surrendered: readonly { topic: string; partition: number }[] = []) => ({
    group: 'g',
    member,
    topics: ['t'],
    from: 'earliest' as const,
    surrendered,
  });

  it('takes nothing from a living member before it gives it back', () => {
    const group = emptyGroup();
    expect(beatGroup(group, beat('m1'), input).held.length).toBe(4);
    expect(beatGroup(group, beat('m2'), input).held).toEqual([]);
    const { surplus, held } = beatGroup(group, beat('m1'), input);
    expect([held.length, surplus.length]).toEqual([4, 2]);
    expect(beatGroup(group, beat('m1', surplus), input).held.length).toBe(2);
    expect(beatGroup(group, beat('m2'), input).held.length).toBe(2);
  });

  it('gives the partitions of a member that is silent, gone or has left to the others, with a newer epoch', () => {
    for (const vanish of ['silent', 'gone', 'left']) {
      const group = emptyGroup();
      const before = beatGroup(group, beat('m1'), input).held;
      if (vanish === 'left') leaveGroup(group, 'm1');
      const now = vanish === 'silent' ? 200 : 50;
      const { held } = beatGroup(group, beat('m2'), { ...input, now, expiresAt: now + 100, isAlive: () => vanish !== 'gone' });
      expect(held.map(({ epoch }) => epoch)).toEqual(before.map(({ epoch }) => epoch + 1));
    }
  });

  it('counts a generation only when something has changed', () => {
    const group = emptyGroup();
    beatGroup(group, beat('m1'), input);
    const { generation } = group;
    beatGroup(group, beat('m1'), input);
    expect(group.generation).toBe(generation);
  });
});
