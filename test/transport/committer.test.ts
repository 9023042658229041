import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { Committer, type CommitJob } from '../../src/transport/committer.js';
import type { WriteResult, WriteUnit } from '../../src/transport/log-store.js';

interface Write {
  /** The jobs whose units are in it. */
  readonly names: readonly string[];
  take(): Promise<void>;
  refuse(): Promise<void>;
}

/** A log that answers when it is told to. */
function bench(mostWrites?: number) {
  const clock = new VirtualTimeScheduler();
  const writes: Write[] = [];
  const done: string[] = [];
  const faults: (string | undefined)[] = [];
  const committer: Committer = new Committer({
    store: {
      write: (units: readonly WriteUnit[]) =>
        new Promise<readonly WriteResult[]>((resolve, reject) => {
          writes.push({
            names: units.flatMap(({ records }) => records.map(({ topic }) => topic)),
            take: () => turn(() => resolve(units.map(() => ({ kind: 'written', positions: [] })))),
            refuse: () => turn(() => reject(new PenstockError('PS3001', 'not now', { category: 'transient' }))),
          });
        }),
    },
    clock,
    retryMs: 100,
    ...(mostWrites === undefined ? {} : { mostWrites }),
    onFault: () => faults.push(committer.fault?.message),
    onWarning: () => undefined,
  });
  const add = (name: string): Promise<void> => {
    const job: CommitJob = {
      unit: () => ({
        lease: undefined,
        progress: undefined,
        records: [{ topic: name, partition: 0, key: null, value: null, headers: [], timestamp: 0 }],
        marks: [],
      }),
      done: ({ kind }) => done.push(`${name} ${kind}`),
      failed: () => true,
    };
    return turn(() => committer.add(job));
  };
  return { clock, committer, writes, done, faults, add };
}

async function turn(act: () => void): Promise<void> {
  act();
  await new Promise((resolve) => setImmediate(resolve));
}

describe('one write at a time', () => {
  it('what arrives while one is out goes together into the next', async () => {
    const { writes, add, done } = bench();
    await add('a');
    await add('b');
    await add('c');
    expect(writes.map(({ names }) => names)).toEqual([['a']]);
    await writes[0]!.take();
    expect(writes.map(({ names }) => names)).toEqual([['a'], ['b', 'c']]);
    await writes[1]!.take();
    expect(done).toEqual(['a written', 'b written', 'c written']);
  });
});

describe('several writes at a time', () => {
  it('are of one job each, no more than the most, and end in any order', async () => {
    const { writes, add, done, committer } = bench(2);
    for (const name of ['a', 'b', 'c']) await add(name);
    expect(writes.map(({ names }) => names)).toEqual([['a'], ['b']]);
    const idle = committer.idle().then(() => done.push('idle'));
    await writes[1]!.take();
    expect(writes.map(({ names }) => names)).toEqual([['a'], ['b'], ['c']]);
    await writes[2]!.take();
    await writes[0]!.take();
    await idle;
    expect(done).toEqual(['b written', 'c written', 'a written', 'idle']);
  });

  it('one that fails stops the others from beginning; then all goes together, one at a time, until it is taken', async () => {
    const { writes, add, done, committer, clock, faults } = bench(3);
    await add('a');
    await add('b');
    await writes[0]!.refuse();
    expect(committer.fault?.message).toBe('not now');
    await add('c');
    expect(writes.length).toBe(2);
    await writes[1]!.refuse();
    await turn(() => clock.flush());
    expect(writes.slice(2).map(({ names }) => names.toSorted())).toEqual([['a', 'b', 'c']]);
    await writes[2]!.take();
    expect([done.toSorted(), faults]).toEqual([
      ['a written', 'b written', 'c written'],
      ['not now', undefined],
    ]);
    await add('d');
    await add('e');
    expect(writes.slice(3).map(({ names }) => names)).toEqual([['d'], ['e']]);
  });

  it('one that began before the fault and is taken does not end it', async () => {
    const { writes, add, committer, done, faults } = bench(2);
    await add('a');
    await add('b');
    await writes[0]!.refuse();
    await writes[1]!.take();
    expect([done, committer.fault?.message]).toEqual([['b written'], 'not now']);
    expect(writes[2]!.names).toEqual(['a']);
    await writes[2]!.take();
    expect(faults).toEqual(['not now', undefined]);
  });

  it('when nobody waits any longer, all that are out count as released, once', async () => {
    const { writes, add, committer, done } = bench(2);
    for (const name of ['a', 'b', 'c']) await add(name);
    await turn(() => committer.abandon());
    expect(done.toSorted()).toEqual(['a fenced', 'b fenced', 'c fenced']);
    await writes[0]!.take();
    await writes[1]!.refuse();
    expect(done.length).toBe(3);
    await committer.idle();
  });
});
