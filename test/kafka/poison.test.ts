import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Subscription } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Outcome } from '../../operators/index.js';
import { allTopics, consumedTopics, topicName } from '../../src/domains/xact/topics.js';
import { xactEventIngester } from '../../src/domains/xact/workers/xact-event-ingester.js';
import { type ClaimChecks, claimChecks, valueOf } from '../../src/runtime/claim-check.js';
import { type FoundDeadLetter, originalBytes, readDeadLetter } from '../../src/runtime/dead-letter.js';
import { carrySink } from '../../src/runtime/sink.js';
import { openLocalBlobs } from '../../src/storage/blob/index.js';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { Consumer, Header, LogRecord, NewRecord, Position, Transport } from '../../src/transport/transport.js';
import { Broker } from '../broker/broker.js';
import { until } from '../transport/collector.js';
import { HOST, rawEvent } from '../workers/messages.js';
import { drawing, seedOfRun, tell, times } from './scale.js';
import { QUICK } from './subject.js';

const EVENTS = topicName('xact.events');
const GROUP = 'xact-event-ingester';
/** A value of nearly what a topic takes, with its key and headers. */
const NEARLY = 1_000_000;

const seed = seedOfRun();
const draw = drawing(seed);
let broker: Broker;
let log: Transport;
let claims: ClaimChecks;
let folder: string;

beforeEach(async () => {
  broker = await Broker.start();
  log = await openKafka({ ...QUICK, brokers: broker.brokers });
  folder = await mkdtemp(join(tmpdir(), 'penstock-poison-'));
  claims = claimChecks({ blobs: await openLocalBlobs({ directory: folder }) });
  await log.ensureTopics(allTopics([1000]).map((name) => ({ name, partitions: 3 })));
});

afterEach(async () => {
  await log?.close();
  await broker?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** The ingester, and how its deliveries left. */
function ingest(transport: Transport) {
  const draining = new AbortController();
  const doors: Partial<Record<Outcome, number>> = {};
  const consumer: Consumer = transport.consume({
    topics: consumedTopics(GROUP, [1000]),
    group: GROUP,
    credits: { count: 500, bytes: 8 * 1024 * 1024 },
  });
  let ended = false;
  const subscription: Subscription = xactEventIngester({
    source: consumer.deliveries$,
    signal: draining.signal,
    sink: carrySink,
    claims,
    urls: { allowedHosts: [HOST] },
    retryDelaysMs: [1000],
  }).subscribe({
    next: ({ outcome }) => {
      doors[outcome] = (doors[outcome] ?? 0) + 1;
    },
    complete: () => {
      ended = true;
    },
  });
  return {
    doors,
    drain: async () => {
      draining.abort();
      await Promise.all([consumer.drain(), until('the drain', () => ended, 30_000)]);
      subscription.unsubscribe();
    },
  };
}

const idle = () => until('an empty backlog', async () => (await log.backlog(GROUP, [EVENTS])) === 0, 120_000);

async function all(topic: string): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  for (const { partition } of await log.offsets(topic)) for await (const record of log.read(topic, partition)) records.push(record);
  return records;
}

/** What nobody can read, each in a way of its own. */
const POISONS: readonly ((id: string) => Omit<NewRecord, 'topic'>)[] = [
  (id) => ({ key: id, value: '{"traceId": ' }),
  (id) => ({ key: id, value: Buffer.from([0xff, 0xfe, 0x00, 0x80]) }),
  (id) => ({ key: id, value: null }),
  (id) => ({ key: id, value: JSON.stringify({ traceId: id }) }),
  (id) => ({ key: null, value: `nothing of ${id}` }),
  (id) => ({ key: id, value: 'x'.repeat(NEARLY) }),
];

const HEADERS: readonly (readonly Header[])[] = [
  [],
  [['source', Buffer.from('east')]],
  [['bytes', Buffer.from([0, 1, 0xff, 0xfe])]],
  [
    ['twice', Buffer.from('a')],
    ['twice', Buffer.from('b')],
    ['empty', Buffer.alloc(0)],
  ],
];

it(`L7: poison every hundredth, large records, binary headers, tombstones: dead-lettered as they came, the rest undisturbed (PENSTOCK_SEED=${seed})`, async () => {
  const count = times(2000, 20_000);
  const good = new Set<string>();
  const poison = new Map<string, NewRecord>();
  const started = ingest(log);
  for (let first = 0; first < count; first += 200) {
    const records = Array.from({ length: 200 }, (_, at): NewRecord & { readonly bad: boolean } => {
      const id = `e${first + at}`;
      const headers = HEADERS[Math.floor(draw() * HEADERS.length)]!;
      const bad = (first + at) % 100 === 99;
      if (bad) return { topic: EVENTS, headers, ...POISONS[Math.floor(draw() * POISONS.length)]!(id), bad };
      good.add(id);
      const large = draw() < 0.002 ? { note: 'y'.repeat(NEARLY - 1000) } : {};
      return { topic: EVENTS, key: id, headers, value: JSON.stringify(rawEvent(id, large)), bad };
    });
    const positions = await log.produce(records);
    for (const [at, { bad, ...record }] of records.entries()) if (bad) poison.set(nameOf(positions[at]!), record);
  }
  await idle();
  await started.drain();
  tell('poison every hundredth, large records, binary headers, tombstones', `${count} records`, { poison: poison.size, ...started.doors });
  expect(started.doors).toEqual({ delivered: good.size, dead_lettered: poison.size });
  const tasks = (await all(topicName('xact.downloads_pending'))).map(({ value }) => JSON.parse(value!.toString()) as { trace_id: string });
  expect(tasks.length).toBe(good.size);
  expect(new Set(tasks.map(({ trace_id: id }) => id))).toEqual(good);
  const letters: FoundDeadLetter[] = [];
  for (const record of await all(topicName('xact.dlq'))) {
    const found = readDeadLetter({ ...record, value: await valueOf(record, claims) });
    expect(found).toBeDefined();
    letters.push(found!);
  }
  expect(letters.length).toBe(poison.size);
  for (const { letter } of letters) {
    const place = { topic: letter.original_topic!, partition: letter.original_partition!, offset: letter.original_offset! };
    const record = poison.get(nameOf(place));
    expect(record, nameOf(place)).toBeDefined();
    poison.delete(nameOf(place));
    expect(originalBytes(letter) ?? null).toEqual(record!.value === null ? null : Buffer.from(record!.value as string));
    expect(letter.original_key).toEqual(record!.key === null ? null : Buffer.from(record!.key).toString('base64'));
    const headers = letter.original_headers.map(
      ({ name, value, base64 }): Header => [name, base64 === undefined ? Buffer.from(value ?? '') : Buffer.from(base64, 'base64')],
    );
    expect(headers).toEqual(record!.headers);
  }
});

it(`partitions that are added after a drain: what comes then goes to all of them, and nothing is lost (PENSTOCK_SEED=${seed})`, async () => {
  const send = async (from: number, count: number): Promise<void> => {
    const ids = Array.from({ length: count }, (_, at) => `e${from + at}`);
    await log.produce(ids.map((id) => ({ topic: EVENTS, key: id, value: JSON.stringify(rawEvent(id)) })));
  };
  const first = ingest(log);
  await send(0, 300);
  await idle();
  await first.drain();
  await log.ensureTopics([{ name: EVENTS, partitions: 6 }]);
  await send(300, 600);
  const second = ingest(log);
  await idle();
  await send(900, 300);
  await idle();
  await second.drain();
  tell('partitions are added', '3 more', { before: first.doors, after: second.doors });
  expect([first.doors, second.doors]).toEqual([{ delivered: 300 }, { delivered: 900 }]);
  const filled = (await log.offsets(EVENTS)).filter(({ start, end }) => end > start);
  expect(filled.length).toBe(6);
  const tasks = (await all(topicName('xact.downloads_pending'))).map(
    ({ value }) => (JSON.parse(value!.toString()) as { trace_id: string }).trace_id,
  );
  expect(tasks.length).toBe(1200);
  expect(new Set(tasks).size).toBe(1200);
});

function nameOf({ topic, partition, offset }: Position): string {
  return `${topic}/${partition}@${offset}`;
}
