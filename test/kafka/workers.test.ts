import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { Broker } from '../broker/broker.js';
import { until } from '../transport/collector.js';
import { bundleChild } from './children.js';
import { Crew, type CrewOptions, expectWhole } from './crew.js';
import { drawing, pause, seedOfRun, tell, times } from './scale.js';

const SESSION_MS = 6000;

let program: string;
let broker: Broker;
let crew: Crew | undefined;
let folder: string;

beforeAll(async () => {
  program = await bundleChild('chaos-child');
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-kafka-'));
  broker = await Broker.start();
});

afterEach(async () => {
  await crew?.dismiss();
  crew = undefined;
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
});

afterAll(() => rm(join(program, '..'), { recursive: true, force: true }));

async function gather(workers: number, options: Partial<CrewOptions> = {}): Promise<Crew> {
  crew = await Crew.gather({ broker, program, group: 'crew', ...options });
  await Promise.all(Array.from({ length: workers }, () => crew!.add()));
  return crew;
}

it('L1: random workers are killed: nothing is lost, only unfinished work is repeated, order per key is kept', async () => {
  const draw = drawing(seedOfRun());
  const kills = times(12, 60);
  const { kill, add } = { kill: (index: number) => crew!.kill(index), add: () => crew!.add() };
  await gather(3);
  crew!.produce();
  for (let at = 0; at < kills; at += 1) {
    await pause(300 + draw() * 1200);
    await kill(Math.floor(draw() * crew!.workers.length));
    await add();
  }
  await crew!.stopProducing();
  const found = await crew!.reckon();
  tell('SIGKILL of random workers', `${kills} kills`, found);
  expectWhole(found);
  expect(found.sent).toBeGreaterThan(kills * 50);
});

it('B3, L5: workers join and leave every second: nothing is lost or finished twice, and no stall is longer than the session', async () => {
  const draw = drawing(seedOfRun());
  const seconds = times(20, 120);
  await gather(2);
  crew!.produce();
  await until('a start', () => crew!.workers.every((worker) => worker.handedOut.length > 0), 60_000);
  for (let at = 0; at < seconds; at += 1) {
    const began = Date.now();
    if (crew!.workers.length > 1 && (crew!.workers.length > 3 || draw() < 0.5)) {
      const worker = await crew!.term(Math.floor(draw() * crew!.workers.length));
      expect(worker.drained).toBe(true);
    } else await crew!.add();
    await pause(Math.max(0, 1000 - (Date.now() - began)));
  }
  await crew!.stopProducing();
  const found = await crew!.reckon();
  tell('workers join and leave every second', `${seconds} s`, { ...found, longestStallMs: crew!.longestStall });
  expectWhole(found);
  expect(crew!.longestStall).toBeLessThan(SESSION_MS);
});

it('L8: SIGTERM in the middle: drained, and committed exactly what is done', async () => {
  await gather(1, { mostMs: 200 });
  crew!.produce(200);
  await until('a start', () => crew!.workers[0]!.settled.length > 100, 60_000);
  const began = Date.now();
  const worker = await crew!.term(0);
  await crew!.stopProducing();
  const drainMs = Date.now() - began;
  tell('SIGTERM in the middle', '1 worker', { handedOut: worker.handedOut.length, settled: worker.settled.length, drainMs });
  expect(worker.drained).toBe(true);
  expect(drainMs).toBeLessThan(10_000);
  expect(new Set(worker.settled)).toEqual(new Set(worker.handedOut));
  expect(await crew!.transport.backlog('crew', ['in'])).toBe(crew!.sent.length - worker.settled.length);
});

it('L4: a dead sink: intake pauses, memory stays within its bound, and everything goes on without an operator', async () => {
  const sink = join(folder, 'dead');
  const seconds = times(45, 300);
  await gather(1, { sinkIsDead: sink, valueBytes: 1000 });
  crew!.produce(100);
  await until('a start', () => crew!.workers[0]!.settled.length > 500, 60_000);
  await writeFile(sink, '');
  await pause(2000);
  await crew!.stopProducing();
  const [worker] = crew!.workers;
  const before = worker!.memory();
  let most = before;
  for (let second = 0; second < seconds; second += 1) {
    await pause(1000);
    most = Math.max(most, worker!.memory());
  }
  const out = worker!.handedOut.length - worker!.settled.length;
  // Credits, what is read ahead of each partition and one fetch of each; twice, for what the collector has not come to.
  const bound = 2 * (1_000_000 + 6 * (512 * 1024 + 256 * 1024));
  expect(out).toBeLessThanOrEqual(200);
  expect(most - before).toBeLessThan(bound);
  await rm(sink);
  const found = await crew!.reckon(240_000);
  expectWhole(found);
  const [grownMb, boundMb] = [most - before, bound].map((bytes) => Math.round(bytes / 1e6));
  tell('a sink is dead', `${seconds} s`, { ...found, out, residentMb: Math.round(before / 1e6), grownMb, boundMb });
  expect(found.repeated).toBe(0);
}, 900_000);
