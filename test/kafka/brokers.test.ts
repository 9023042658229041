import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { Broker } from '../broker/broker.js';
import { until } from '../transport/collector.js';
import { bundleChild } from './children.js';
import { Crew, expectWhole } from './crew.js';
import { pause, tell, times } from './scale.js';

const NODES = [1, 2, 3] as const;
/** What the client needs after the death of a group's coordinator, and the members' session. */
const RECOVERY_MS = 10_000 + 6000;
/** Memory that counts as flat, in bytes. */
const MOST_GROWN = 60_000_000;

let program: string;
let broker: Broker;
let crew: Crew;
/** The most that any worker had in memory when it first went on after a fault, with its buffers full, in bytes. */
let memoryBefore: number | undefined;
/** The longest that it took after a fault until the producer had sent more, and from then on until the workers had handed it out, in milliseconds. */
let longestSending: number;
let longestRecovery: number;

beforeAll(async () => {
  program = await bundleChild('chaos-child');
});

beforeEach(async () => {
  broker = await Broker.start({ nodes: 3 });
  crew = await Crew.gather({ broker, program, group: 'crew' });
  await Promise.all([crew.add(), crew.add(), crew.add()]);
  crew.produce();
  await until('a start', () => crew.workers.every((worker) => worker.settled.length > 0), 60_000);
  memoryBefore = undefined;
  longestSending = 0;
  longestRecovery = 0;
});

afterEach(async () => {
  await crew.dismiss();
  await broker.stop();
});

afterAll(() => rm(join(program, '..'), { recursive: true, force: true }));

function memory(): number {
  return Math.max(...crew.workers.map((worker) => worker.memory()));
}

/** Waits until something that was sent after now has been handed out. */
async function goesOn(within: number): Promise<void> {
  const began = Date.now();
  const before = crew.sent.length;
  await until('the producer to go on', () => crew.sent.length > before + 200, within);
  const sentAt = Date.now();
  const wanted = new Set(crew.sent.slice(before + 100, before + 200));
  await until(
    'the workers to go on',
    () => crew.workers.some((worker) => worker.handedOut.some((value) => wanted.has(value))),
    within,
  ).catch((error: Error) => {
    throw new Error(
      `${error.message}; ${JSON.stringify(crew.workers.map(({ warnings, faults }) => ({ warnings: warnings.slice(-8), faults: faults.slice(-5) })))}`,
    );
  });
  longestSending = Math.max(longestSending, sentAt - began);
  longestRecovery = Math.max(longestRecovery, Date.now() - sentAt);
  memoryBefore ??= memory();
}

async function reckon(fault: string, numbers: string): Promise<void> {
  await crew.stopProducing();
  const found = await crew.reckon(times(240_000, 600_000));
  const grown = memory() - memoryBefore!;
  const told = {
    longestSendingMs: longestSending,
    longestRecoveryMs: longestRecovery,
    longestStallMs: crew.longestStall,
    grownMb: Math.round(grown / 1e6),
  };
  tell(fault, numbers, { ...found, ...told });
  expectWhole(found);
  expect(Math.max(longestSending, longestRecovery)).toBeLessThan(RECOVERY_MS);
  expect(grown).toBeLessThan(MOST_GROWN);
}

it('L2: each of three brokers is killed in turn, the coordinator of the group among them: the workers recover by themselves', async () => {
  const rounds = times(1, 3);
  for (let round = 0; round < rounds; round += 1) {
    for (const id of NODES) {
      await broker.node(id).kill();
      await pause(3000);
      await broker.node(id).up();
      await goesOn(60_000);
    }
  }
  await reckon('one of three brokers is killed, each in its turn', `${rounds * NODES.length} kills`);
  expect(crew.longestStall).toBeLessThan(RECOVERY_MS + 5000);
});

it('L2: all brokers are killed for a while: workers wait, and go on by themselves; memory is flat', async () => {
  const seconds = times(10, 30);
  await Promise.all(NODES.map((id) => broker.node(id).kill()));
  await pause(seconds * 1000);
  await Promise.all(NODES.map((id) => broker.node(id).up()));
  await goesOn(120_000);
  await reckon('all three brokers are killed', `${seconds} s`);
});

it('L2: brokers are restarted one after another by SIGTERM', async () => {
  for (const id of NODES) {
    await broker.node(id).term();
    await broker.node(id).up();
    await goesOn(60_000);
  }
  await reckon('brokers are restarted one after another by SIGTERM', `${NODES.length} restarts`);
});
