import type { EachBatchPayload } from 'kafkajs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hold } from '../../../src/transport/kafka/held-partition.js';
import { Intake } from '../../../src/transport/kafka/intake.js';

const WAIT_MS = 250;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function bench(partitions = 1) {
  const told: string[] = [];
  const say = (what: string) => (name: { readonly partition: number }) => void told.push(`${what} ${name.partition}`);
  const log = { start: 50, end: 60, id: 'one' };
  const session = { seek: say('seek'), pause: say('pause'), resume: say('resume') };
  const intake = new Intake({
    settings: { readAhead: { records: 10, bytes: 1_000_000 }, fetchWaitMs: WAIT_MS },
    directory: {
      offsets: () => Promise.resolve([{ partition: 0, ...log }]),
      topicIds: () => Promise.resolve(new Map([['t', log.id]])),
    },
    session: () => session,
    arrived: () => undefined,
    cut: (_, end) => told.push(`cut to ${end}`),
    madeAnew: (topic) => told.push(`${topic} anew`),
    removed: (_, count) => told.push(`${count} removed`),
    overwritten: say('overwritten'),
    lost: (error) => told.push(error.message),
  });
  intake.creditBytes = 1_000_000;
  const nothing = { offset: 0, beyond: new Uint8Array(0) };
  for (let partition = 0; partition < partitions; partition += 1) {
    intake.begin(hold({ topic: 't', partition }, { epoch: 1, progress: nothing, topicId: 'one', end: 0, now: 0 }), 0);
  }
  told.length = 0;
  /** What a fetch of these offsets brings; answers whether the client is held. */
  const fetch = (partition: number, from: number, to: number) => {
    let held = true;
    const messages = Array.from({ length: to - from }, (_, at) => ({ offset: `${from + at}`, key: null, value: null, timestamp: '0' }));
    const batch = {
      topic: 't',
      partition,
      messages,
      fetchedOffset: `${from}`,
      highWatermark: `${to}`,
      lastOffset: () => `${to - 1}`,
    } as unknown as EachBatchPayload['batch'];
    const taken = intake.take({ batch, resolveOffset: () => undefined });
    void Promise.resolve(taken).then(() => (held = false));
    return async () => {
      await vi.advanceTimersByTimeAsync(0);
      return held;
    };
  };
  const read = (partition: number, from: number) => intake.read('t', partition, from).map(({ offset }) => offset);
  return { intake, told, fetch, read, log };
}

describe('what is fetched ahead', () => {
  it('does not hold the client while there is room', async () => {
    const { fetch, read } = bench();
    expect(await fetch(0, 0, 10)()).toBe(false);
    expect(read(0, 0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('holds the client when a buffer is full, and lets it go when there is room: nothing is paused', async () => {
    const { fetch, read, told } = bench();
    const isHeld = fetch(0, 0, 11);
    expect(await isHeld()).toBe(true);
    read(0, 0);
    expect(await isHeld()).toBe(false);
    await vi.advanceTimersByTimeAsync(WAIT_MS);
    expect(told).toEqual([]);
  });

  it('pauses a partition that nobody reads for as long as an empty fetch lasts, and resumes it when half of it is free', async () => {
    const { fetch, read, told } = bench();
    const isHeld = fetch(0, 0, 7);
    fetch(0, 7, 12);
    await vi.advanceTimersByTimeAsync(WAIT_MS - 1);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect([await isHeld(), told]).toEqual([false, ['pause 0']]);
    read(0, 0);
    expect(told).toEqual(['pause 0', 'resume 0']);
  });

  it('room in one partition lets the client go; what is full still is paused, so that it does not hold up the others', async () => {
    const { fetch, read, told } = bench(2);
    const stuck = fetch(0, 0, 11);
    const moving = fetch(1, 0, 11);
    read(1, 0);
    expect([await stuck(), await moving(), told]).toEqual([false, false, ['pause 0']]);
  });

  it("a partition that is lost while it holds the client is not paused: it may be somebody else's, or ours anew", async () => {
    const { fetch, intake, told } = bench();
    const isHeld = fetch(0, 0, 11);
    intake.forget({ topic: 't', partition: 0 });
    await vi.advanceTimersByTimeAsync(WAIT_MS);
    expect([await isHeld(), told]).toEqual([false, []]);
  });
});

describe('a fetch from elsewhere than what comes next', () => {
  const next = (intake: Intake) => intake.of({ topic: 't', partition: 0 })!.buffer.next;

  it('is not taken: what retention has removed is named, and the rest is fetched; the group keeps its place', async () => {
    const { fetch, read, intake, told } = bench();
    fetch(0, 50, 55);
    await vi.advanceTimersByTimeAsync(0);
    expect([told, next(intake)]).toEqual([['pause 0', '50 removed', 'seek 0', 'resume 0', 'overwritten 0'], 50]);
    fetch(0, 50, 53);
    expect(read(0, 50)).toEqual([50, 51, 52]);
  });

  it('follows records that nobody may see, which the client has passed over by itself', async () => {
    const { intake, fetch, read, told, log } = bench();
    Object.assign(log, { start: 0, end: 60 });
    intake.passOver({ topic: 't', partition: 0 }, 0, 9);
    fetch(0, 10, 12);
    expect([told, read(0, 0)]).toEqual([[], [10, 11]]);
    intake.passOver({ topic: 't', partition: 0 }, undefined, 12);
    intake.passOver({ topic: 't', partition: 0 }, 3, 9);
    expect([told, next(intake)]).toEqual([[], 13]);
    // Between 13 and 20 there may be a gap, or the client may have gone elsewhere.
    intake.passOver({ topic: 't', partition: 0 }, 20, 29);
    await vi.advanceTimersByTimeAsync(0);
    expect([told, next(intake)]).toEqual([['pause 0', 'seek 0', 'resume 0', 'overwritten 0'], 30]);
  });

  it('is put behind what holds no records, unless it has gone on by itself', () => {
    const { intake, told } = bench();
    const held = intake.of({ topic: 't', partition: 0 })!;
    intake.skip(held, 7);
    intake.skip(held, 7);
    expect([told, next(intake)]).toEqual([['seek 0'], 7]);
  });

  it('from before it, of the same log: the partition goes on where it was', async () => {
    const { fetch, intake, told, log } = bench();
    Object.assign(log, { start: 0, end: 60 });
    fetch(0, 0, 20);
    fetch(0, 0, 5);
    await vi.advanceTimersByTimeAsync(0);
    expect([told, next(intake)]).toEqual([['pause 0', 'seek 0', 'resume 0', 'overwritten 0'], 20]);
  });

  it('from before it, of a log that ends earlier, or of another topic of that name: it is begun anew', async () => {
    for (const [change, expected] of [
      [{ start: 0, end: 15 }, 'cut to 15'],
      [{ start: 0, end: 40, id: 'two' }, 't anew'],
    ] as const) {
      const { fetch, told, log } = bench();
      Object.assign(log, change);
      fetch(0, 0, 20);
      fetch(0, 0, 5);
      await vi.advanceTimersByTimeAsync(0);
      expect(told).toEqual(['pause 0', expected]);
    }
  });
});
