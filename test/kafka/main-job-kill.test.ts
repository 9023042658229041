import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { consumedTopics, WORKERS, type XactWorker } from '../../src/domains/xact/topics.js';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { Transport } from '../../src/transport/transport.js';
import { Broker } from '../broker/broker.js';
import { builtCommand } from '../e2e/support/built.js';
import { type Command, type Ended, lastLine, unbalanced } from '../e2e/support/command.js';
import { type Holdings, holdingsOf, lastingOf, outboxOf, reconcile } from '../e2e/support/reconcile.js';
import { Workspace } from '../e2e/support/workspace.js';
import { until } from '../transport/collector.js';
import { rawEvent } from '../workers/messages.js';
import { holdingsOnKafka } from './holdings.js';
import { type Receiver, startReceiver } from './receiver.js';
import { drawing, pause, seedOfRun, tell, times } from './scale.js';

const KILLS = times(6, 30);
/** Lines come in before every second kill. */
const PORTIONS = KILLS / 2;
const EVENTS_EACH = 90;
/** So much is settled, by all groups together, between two kills. */
const WORK_BETWEEN = 50;
const SESSION = '3s';
/** From a kill to the next record that is done: the session, the group that is spread anew, and a process that starts beside others. */
const RECOVERY_MS = 45_000;
const DELAYS_MS = [50, 100, 200];

const ALL = Object.keys(WORKERS) as readonly XactWorker[];
/** Every worker stands in two processes, and no two processes are alike. */
const SPLIT: readonly (readonly XactWorker[])[] = [
  ['xact-event-ingester', 'xact-retry', 'xact-result-processor'],
  ['xact-download', 'xact-upload', 'xact-actions'],
  ['xact-delta-events', 'xact-result-processor', 'xact-actions', 'xact-upload'],
  ['xact-event-ingester', 'xact-delta-events', 'xact-download', 'xact-retry'],
];

const seed = seedOfRun();
let broker: Broker;
let log: Transport;
let place: Workspace;
let receiver: Receiver;
let lines: readonly Buffer[];

let expected: Holdings;

beforeAll(async () => {
  // One less than an action has retries: under load a call may fail by itself.
  receiver = await startReceiver({ refuseEach: 5, refusals: DELAYS_MS.length - 1 });
  place = await Workspace.open({ seed });
  await place.write('caller.mjs', caller());
  await place.write('connections.yaml', JSON.stringify({ connections: { receiver: { base_url: receiver.url, max_retries: 1 } } }));
  await place.write('caller.yaml', JSON.stringify({ plugins: [{ name: 'caller', module: './caller.mjs' }] }));
  lines = place.lines(PORTIONS * EVENTS_EACH);
  // What comes of the same lines when nobody is disturbed, on the embedded log.
  await configure({ brokers: '' });
  const data = join(place.folder, 'undisturbed');
  await place.ingest(lines, data);
  await place.untilIdle([], data);
  expected = await holdingsOf(data);
  await configure({ session_timeout: SESSION });
});

beforeEach(async () => {
  receiver.forget();
  broker = await Broker.start({ set: { 'group.min.session.timeout.ms': 1000 } });
  log = await openKafka({ brokers: broker.brokers });
});

afterEach(async () => {
  await log?.close();
  await broker?.stop();
});

afterAll(async () => {
  await place?.close();
  await receiver?.close();
});

/** Calls somebody for each event; some calls are too large for a record, so that their bytes travel by claim check. */
function caller(): string {
  return `
    import { act, definePlugin, webhook } from ${JSON.stringify(door())};
    export default definePlugin({
      name: 'caller', version: '1.0.0', summary: 'Calls somebody.', domains: ['xact'], stages: ['event_ingest'],
      effects: { actions: ['http_webhook'] },
      create: () => ({ event_id }) => {
        const note = 'x'.repeat(event_id.charCodeAt(0) % 4 === 0 ? 1_100_000 : 10);
        return act(webhook({ connection: 'receiver', path: '/events' }, { body: { event_id, note } }));
      },
    });`;
}

/** Never answers for one event. */
function hanging(eventId: string): string {
  return `
    import { definePlugin } from ${JSON.stringify(door())};
    export default definePlugin({
      name: 'hanging', version: '1.0.0', summary: 'Never answers for one event.', domains: ['xact'], stages: ['event_ingest'],
      create: () => ({ event_id }) => event_id === ${JSON.stringify(eventId)} ? new Promise(() => undefined) : undefined,
    });`;
}

/** Where a plugin of the test finds what it is made of. */
function door(): string {
  return join(dirname(builtCommand()), '..', 'dist', 'src', 'plugin', 'index.js');
}

function configure(kafka: Readonly<Record<string, unknown>>, plugins = 'caller.yaml'): Promise<void> {
  return place.configure({
    settings: {
      kafka: {
        ...kafka,
        xact: {
          plugins: { enabled: true, config_path: 'xact_plugins.yaml' },
          retry_delays: DELAYS_MS.map((ms) => `${ms}ms`),
          topics: { work: { partitions: 4 }, retry: { partitions: 2 }, dead_letter: { partitions: 2 } },
        },
      },
      plugins: { enabled: true, config_path: plugins },
      connections: { config_path: 'connections.yaml' },
      actions: { attempts: 2, backoff: { base: '10ms', cap: '50ms' }, breaker: { failures: 1000, open: '500ms' } },
    },
  });
}

const onKafka = (): readonly string[] => ['--transport', 'kafka', '--brokers', broker.brokers.join(',')];

function begin(workers: readonly XactWorker[], data: string): Command {
  return place.start(['run', ...onKafka(), '--no-api', ...workers.flatMap((name) => ['--worker', name])], { data });
}

async function ingest(portion: number, data: string): Promise<void> {
  const part = lines.slice(portion * EVENTS_EACH, (portion + 1) * EVENTS_EACH);
  const input = Buffer.concat(part.flatMap((line) => [line, Buffer.from('\n')]));
  const ended = await place.run(['ingest', '-', '--domain', 'xact', ...onKafka()], { input, data });
  expect(ended.code, ended.stderr).toBe(0);
}

/** How much all groups have settled, and how much is left to them. */
async function standing(): Promise<{ readonly settled: number; readonly left: number }> {
  const groups = await Promise.all(
    ALL.map(async (name) => {
      const topics = consumedTopics(name, DELAYS_MS);
      const left = await log.backlog(name, topics);
      const offsets = (await Promise.all(topics.map((topic) => log.offsets(topic)))).flat();
      return { left, settled: offsets.reduce((sum, { end }) => sum + end, 0) - left };
    }),
  );
  return {
    settled: groups.reduce((sum, { settled }) => sum + settled, 0),
    left: groups.reduce((sum, { left }) => sum + left, 0),
  };
}

/** Lets processes with these workers run, kills one after another while lines come in, and ends when nothing is left to do. */
async function underFire(posts: readonly (readonly XactWorker[])[], data: string, draw: () => number) {
  const applied = await place.run(['topics', 'apply', ...onKafka()], { data });
  expect(applied.code, applied.stderr).toBe(0);
  const crew = posts.map((workers) => begin(workers, data));
  const found = { kills: KILLS, terms: 0, longestWithoutWorkMs: 0 };
  let settled = 0;
  for (let killed = 0, fed = 0; killed < KILLS; ) {
    if (fed < PORTIONS && killed >= (fed * KILLS) / PORTIONS) await ingest(fed++, data);
    const victim = Math.floor(draw() * crew.length);
    const [early, gently] = [draw() < 0.2, draw() < 0.2];
    // Mostly somebody has done something since the last one went, else killing is all that is tried.
    if (!early) found.longestWithoutWorkMs = Math.max(found.longestWithoutWorkMs, await untilWork(settled, crew));
    await pause(draw() * 800);
    if (gently) {
      expectDrained(await term(crew[victim]!));
      found.terms += 1;
    } else {
      expect((await crew[victim]!.kill()).signal, crew[victim]!.stderr).toBe('SIGKILL');
      killed += 1;
    }
    ({ settled } = await standing());
    crew[victim] = begin(posts[victim]!, data);
  }
  await until('nothing to be left', async () => (await standing()).left === 0, 120_000).catch((error: Error) => complain(error, crew));
  for (const ended of await Promise.all(crew.map(term))) expectDrained(ended);
  return found;
}

/** Waits until more has been settled than at that time, or nothing is left; answers how long that took. */
async function untilWork(before: number, crew: readonly Command[]): Promise<number> {
  const began = Date.now();
  const moved = async (): Promise<boolean> => {
    const { settled, left } = await standing();
    return settled > before + WORK_BETWEEN || left === 0;
  };
  await until('work that is done in spite of it', moved, RECOVERY_MS).catch((error: Error) => complain(error, crew));
  return Date.now() - began;
}

async function complain(error: Error, crew: readonly Command[]): Promise<never> {
  const said = crew.map(({ stderr }) => stderr.slice(-1500)).join('\n---\n');
  throw new Error(`${error.message}: ${JSON.stringify(await standing())}\n${said}`, { cause: error });
}

function term(command: Command): Promise<Ended> {
  command.signal('SIGTERM');
  return command.ended();
}

/** It has drained and says what it has done; one that had not begun to listen to signals has done nothing. */
function expectDrained(ended: Ended): void {
  if (ended.signal === 'SIGTERM' && ended.stdout + ended.stderr === '') return;
  expect([ended.code, ended.signal], ended.stderr).toEqual([0, null]);
  expect(unbalanced(lastLine(ended))).toEqual([]);
}

describe('the main job on Kafka, its processes killed and started again', () => {
  const CREWS: readonly (readonly [string, readonly (readonly XactWorker[])[]])[] = [
    ['all workers in each of three processes', [ALL, ALL, ALL]],
    ['the workers split over four processes', SPLIT],
  ];

  it.each(CREWS)(
    `L1, L6: %s: the tables, files, dead letters and actions of an undisturbed run (PENSTOCK_SEED=${seed})`,
    async (name, posts) => {
      const data = join(place.folder, `data ${posts.length}`);
      const fired = await underFire(posts, data, drawing(seed));
      const idle = await place.untilIdle(onKafka(), data);
      expect(idle.entered).toBe(0);
      const holdings = await holdingsOnKafka(broker, data);
      const outbox = outboxOf(holdings);
      const calls = outbox.map((id) => receiver.taken.get(id) ?? 0);
      tell(`SIGKILL of processes of the main job, ${name}`, `${fired.kills} kills, ${fired.terms} SIGTERM, ${lines.length} events`, {
        longestWithoutWorkMs: fired.longestWithoutWorkMs,
        findings: reconcile(holdings, { lines }).length,
        records: [...holdings.log.values()].reduce((sum, records) => sum + records.length, 0),
        recordsUndisturbed: [...expected.log.values()].reduce((sum, records) => sum + records.length, 0),
        calls: calls.length,
        callsLost: calls.filter((count) => count === 0).length,
        callsRepeated: calls.filter((count) => count > 1).length,
      });
      expect(reconcile(holdings, { lines })).toEqual([]);
      const givenUp = holdings.deadLetters.filter(({ worker }) => worker === 'xact-actions');
      expect(givenUp.map((letter) => `${letter.reason}: ${String(letter['final_error'])}`)).toEqual([]);
      expect(lastingOf(holdings)).toEqual(lastingOf(expected));
      expect(calls.filter((count) => count === 0)).toEqual([]);
      expect(outbox.length).toBeGreaterThan(lines.length / 2);
    },
    900_000,
  );
});

describe('the main job on Kafka, asked to end while somebody does not', () => {
  afterEach(() => configure({ session_timeout: SESSION }));

  it('L8: a drain that runs out of time names what is stuck, and exactly what is done is committed', async () => {
    const data = join(place.folder, 'data stuck');
    const [ingester, topic] = ['xact-event-ingester', 'xact.events.raw'] as const;
    await place.write('hanging.mjs', hanging('t7'));
    await place.write('hanging.yaml', JSON.stringify({ plugins: [{ name: 'hanging', module: './hanging.mjs', timeout: '5m' }] }));
    await configure({ session_timeout: SESSION }, 'hanging.yaml');
    lines = Array.from({ length: 40 }, (_, at) => Buffer.from(JSON.stringify(rawEvent(`t${at}`, { attachments: [] }))));
    const applied = await place.run(['topics', 'apply', ...onKafka()], { data });
    expect(applied.code, applied.stderr).toBe(0);
    await ingest(0, data);
    const running = place.start(['run', ...onKafka(), '--no-api', '--worker', ingester, '--drain-timeout', '1s'], { data });
    await until('all but one', async () => (await log.backlog(ingester, [topic])) === 1, 60_000);
    const began = Date.now();
    const ended = await term(running);
    const drainMs = Date.now() - began;
    expectDrained(ended);
    const { left } = lastLine(ended);
    const named = /"what":"xact-event-ingester: xact\.events\.raw\[(\d)\]@(\d+) since \d+ s"/.exec(ended.stderr);
    tell('SIGTERM while a plugin hangs', 'a drain of 1 s', { drainMs, ...left, named: named !== null });
    expect(left).toMatchObject({ delivered: 39, released: 1 });
    expect(drainMs).toBeLessThan(10_000);
    const [stuck] = await arrayOf(log.read(topic, Number(named![1]), Number(named![2])));
    expect(stuck!.key!.toString()).toBe('t7');
    expect(await log.backlog(ingester, [topic])).toBe(1);
    await configure({ session_timeout: SESSION });
    expect((await place.untilIdle([...onKafka(), '--worker', ingester], data)).left).toMatchObject({ delivered: 1, released: 0 });
  });
});

async function arrayOf<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
