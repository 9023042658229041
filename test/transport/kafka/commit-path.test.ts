import { describe, expect, it } from 'vitest';
import { CommitPath, type CommitRequest } from '../../../src/transport/kafka/commit-path.js';
import type { WriteUnit } from '../../../src/transport/log-store.js';

interface Sent {
  readonly offsets: readonly string[];
  answer(error?: Error): Promise<void>;
}

/** Brokers that take records at once, and offsets when they are told to. */
function bench() {
  const sent: Sent[] = [];
  const produced: string[] = [];
  const lost = new Set<number>();
  const path = new CommitPath({
    producer: {
      send: (records) => {
        produced.push(...records.map(({ topic }) => topic));
        return Promise.resolve([]);
      },
    },
    marks: { recordsOf: () => Promise.resolve([]), remember: () => undefined },
    place: (records) => Promise.resolve(records.map((record) => ({ ...record, partition: 0 }))),
    isCurrent: ({ partition }) => !lost.has(partition),
    send: ({ topics }: CommitRequest) =>
      new Promise<void>((resolve, reject) => {
        sent.push({
          offsets: topics.flatMap(({ partitions }) => partitions.map(({ partition, offset }) => `${partition}@${offset}`)),
          answer: (error) => turn(() => (error === undefined ? resolve() : reject(error))),
        });
      }),
    fault: () => undefined,
    committed: () => undefined,
  });
  const write = async (partition: number, offset: number) => {
    const unit: WriteUnit = {
      lease: { group: 'g', member: 'm', topic: 't', partition, epoch: 1 },
      progress: { offset, beyond: new Uint8Array(0) },
      records: [{ topic: `of ${partition}`, partition: 0, key: null, value: null, headers: [], timestamp: 0 }],
      marks: [],
    };
    const ended: { kind?: string } = {};
    await turn(
      () =>
        void path.write([unit]).then(
          ([result]) => (ended.kind = result!.kind),
          (error: Error) => (ended.kind = error.message),
        ),
    );
    return ended;
  };
  return { path, sent, produced, lost, write };
}

async function turn(act: () => void): Promise<void> {
  act();
  for (let round = 0; round < 3; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('writes of several partitions', () => {
  it('produce beside each other; one request with offsets is out at a time, and what comes meanwhile goes together', async () => {
    const { sent, produced, write } = bench();
    const ended = [await write(0, 5), await write(1, 6), await write(2, 7)];
    expect(produced).toEqual(['of 0', 'of 1', 'of 2']);
    expect(sent.map(({ offsets }) => offsets)).toEqual([['0@5']]);
    await sent[0]!.answer();
    expect(ended.map(({ kind }) => kind)).toEqual(['written', undefined, undefined]);
    expect(sent.slice(1).map(({ offsets }) => offsets)).toEqual([['1@6', '2@7']]);
    await sent[1]!.answer();
    expect(ended.map(({ kind }) => kind)).toEqual(['written', 'written', 'written']);
  });

  it('a partition that was lost while its offset waited is fenced, and not committed', async () => {
    const { sent, lost, write } = bench();
    const ended = [await write(0, 5), await write(1, 6)];
    lost.add(1);
    await sent[0]!.answer();
    expect(ended.map(({ kind }) => kind)).toEqual(['written', 'fenced']);
    expect(sent.length).toBe(1);
  });

  it('while an assignment is not understood nothing is committed; then what is still held', async () => {
    const { path, sent, lost, write } = bench();
    path.hold();
    const ended = [await write(0, 5), await write(1, 6)];
    expect(sent).toEqual([]);
    lost.add(0);
    await turn(() => path.changed());
    expect(sent.map(({ offsets }) => offsets)).toEqual([['1@6']]);
    await sent[0]!.answer();
    expect(ended.map(({ kind }) => kind)).toEqual(['fenced', 'written']);
  });

  it('nor when the assignment is made just before the request', async () => {
    const { path, sent, write } = bench();
    const writing = write(0, 5);
    for (let step = 0; step < 20; step += 1) await Promise.resolve();
    path.hold();
    const ended = await writing;
    expect(sent).toEqual([]);
    await turn(() => path.changed());
    await sent[0]!.answer();
    expect(ended.kind).toBe('written');
  });

  it('offsets that are refused because the group is spread anew are sent again; what is refused for good fails', async () => {
    const { path, sent, produced, write } = bench();
    const ended = await write(0, 5);
    path.hold();
    await sent[0]!.answer(Object.assign(new Error('rebalance'), { type: 'REBALANCE_IN_PROGRESS' }));
    expect([sent.length, ended.kind]).toEqual([1, undefined]);
    await turn(() => path.changed());
    expect(sent.map(({ offsets }) => offsets)).toEqual([['0@5'], ['0@5']]);
    await sent[1]!.answer(new Error('no'));
    expect(ended.kind).toContain('no');
    expect(produced).toEqual(['of 0']);
    await write(0, 8);
    expect(sent[2]!.offsets).toEqual(['0@8']);
  });
});
