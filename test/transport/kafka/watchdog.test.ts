import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { PenstockError } from '../../../src/diagnostics/index.js';
import { type Held, hold } from '../../../src/transport/kafka/held-partition.js';
import { settingsOf } from '../../../src/transport/kafka/settings.js';
import { Watchdog } from '../../../src/transport/kafka/watchdog.js';
import type { PartitionOffsets } from '../../../src/transport/transport.js';

const STALL_MS = 3000;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A watchdog over partitions that stand at 10, and what it has said; `answer` is asked for the ends. */
function watching(answer: () => Promise<readonly PartitionOffsets[]> | readonly PartitionOffsets[], partitions = 1) {
  const at = { offset: 10, beyond: new Uint8Array(0) };
  const held: Held[] = Array.from({ length: partitions }, (_, partition) =>
    hold({ topic: 't', partition }, { epoch: 1, progress: at, topicId: 'one', end: 10, now: Date.now() }),
  );
  const said: string[] = [];
  const truncated: Held[] = [];
  const topic = { id: 'one' as string | undefined };
  const beat = { at: undefined as number | undefined };
  const log = { firstRecord: 0 };
  const watchdog = new Watchdog({
    settings: settingsOf({ brokers: [], stallMs: STALL_MS, onWarning: (error) => said.push(error.message) }),
    directory: {
      offsets: async () => answer(),
      topicIds: () => Promise.resolve(new Map([['t', topic.id]])),
      firstRecord: (_topic, _partition, from) => Promise.resolve(Math.max(from, log.firstRecord)),
    },
    group: 'g',
    held: () => held,
    beatAt: () => beat.at,
    cut: (each, to) => {
      truncated.push(each);
      said.push(`cut to ${to}`);
    },
    skip: (each, to) => {
      said.push(`skipped to ${to}`);
      each.buffer.next = to;
      each.movedAt = Date.now();
    },
    madeAnew: (name) => said.push(`${name} anew`),
    restart: (error: PenstockError) => said.push(error.message),
  });
  watchdog.start();
  return { watchdog, held, said, truncated, beat, topic, log };
}

const end = (...ends: readonly number[]): readonly PartitionOffsets[] =>
  ends.map((each, partition) => ({ partition, start: 0, end: each }));

it('names the partition that has records and gives none, once the time is up', async () => {
  const { held, said, watchdog } = watching(() => end(10, 14), 2);
  await vi.advanceTimersByTimeAsync(STALL_MS);
  expect(said).toEqual([]);
  await vi.advanceTimersByTimeAsync(STALL_MS / 3);
  expect(said).toEqual(['t/1 has 4 records and gives none for 4 s: the consumer is made anew']);
  expect(held.map((each) => each.end)).toEqual([10, 14]);
  watchdog.stop();
  await vi.advanceTimersByTimeAsync(STALL_MS * 10);
  expect(said.length).toBe(1);
});

it('passes over what holds no records, where the client stands still, and names nothing', async () => {
  const { said, log } = watching(() => end(14));
  log.firstRecord = 13;
  await vi.advanceTimersByTimeAsync(STALL_MS);
  expect(said).toEqual(['skipped to 13']);
  await vi.advanceTimersByTimeAsync(STALL_MS);
  expect(said).toEqual(['skipped to 13', 't/0 has 1 records and gives none for 4 s: the consumer is made anew']);
});

it('leaves alone what is paused, what moves, and what has nothing', async () => {
  const { held, said } = watching(() => end(10, 14, 14), 3);
  held[1]!.paused = true;
  for (let turn = 0; turn < 10; turn += 1) {
    held[2]!.movedAt = Date.now();
    await vi.advanceTimersByTimeAsync(STALL_MS / 3);
  }
  expect(said).toEqual([]);
  // What goes on after a pause has all of its time.
  held[1]!.paused = false;
  await vi.advanceTimersByTimeAsync(STALL_MS / 3);
  expect(said).toEqual([]);
});

it('names a log that ends before what was read of it, and lets it begin anew', async () => {
  const { held, said, truncated } = watching(() => end(7));
  await vi.advanceTimersByTimeAsync(STALL_MS / 3);
  expect(said).toEqual(['cut to 7']);
  expect(truncated).toEqual(held);
});

it('a topic of another identity was made anew, however long it is; where the brokers tell none, nothing is known', async () => {
  const { said, topic } = watching(() => end(40));
  topic.id = undefined;
  await vi.advanceTimersByTimeAsync(STALL_MS / 3);
  expect(said).toEqual([]);
  topic.id = 'two';
  await vi.advanceTimersByTimeAsync(STALL_MS / 3);
  expect(said).toEqual(['t anew']);
});

it('an answer that is older than what was read meanwhile is no cut log', async () => {
  let answer: (ends: readonly PartitionOffsets[]) => void = () => undefined;
  const { held, said, truncated } = watching(() => new Promise((resolve) => (answer = resolve)));
  await vi.advanceTimersByTimeAsync(STALL_MS / 3);
  held[0]!.buffer.put([], 25);
  answer(end(12));
  await vi.advanceTimersByTimeAsync(1);
  expect([said, truncated]).toEqual([[], []]);
});

it('a partition that was begun anew while the answer was under way is compared with nothing', async () => {
  let answer: (ends: readonly PartitionOffsets[]) => void = () => undefined;
  const { held, truncated } = watching(() => new Promise((resolve) => (answer = resolve)));
  await vi.advanceTimersByTimeAsync(STALL_MS / 3);
  held[0] = { ...held[0]!, epoch: 2 };
  answer(end(3));
  await vi.advanceTimersByTimeAsync(1);
  expect(truncated).toEqual([]);
});

it('names the silence of the group', async () => {
  const { said, beat } = watching(() => end(10));
  beat.at = Date.now();
  await vi.advanceTimersByTimeAsync(STALL_MS);
  expect(said).toEqual([]);
  await vi.advanceTimersByTimeAsync(STALL_MS / 3);
  expect(said).toEqual(['group g has not been told of this member for 4 s: the consumer is made anew']);
});

it('asks again when it could not be told', async () => {
  let asked = 0;
  const { said, watchdog } = watching(() => {
    asked += 1;
    if (asked < 3) throw new Error('nobody answers');
    return end(14);
  });
  await vi.advanceTimersByTimeAsync(STALL_MS * 2);
  expect(asked).toBeGreaterThan(3);
  expect(said[0]).toMatch(/^t\/0 has 4 records/);
  watchdog.stop();
});
