import type { Observable } from 'rxjs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Delivery } from '../../operators/index.js';
import { PenstockError } from '../../src/diagnostics/index.js';
import { allTopics, consumedTopics, topicName, type XactWorker } from '../../src/domains/xact/topics.js';
import { xactDownload } from '../../src/domains/xact/workers/xact-download.js';
import { xactRetry } from '../../src/domains/xact/workers/xact-retry.js';
import { RetryOrder } from '../../src/runtime/retry-order.js';
import { carrySink } from '../../src/runtime/sink.js';
import type { Settled } from '../../src/runtime/worker.js';
import { createRandom } from '../../src/simulator/random.js';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { LogRecord, Transport } from '../../src/transport/transport.js';
import { Broker } from '../broker/broker.js';
import { downloadTask } from '../workers/messages.js';
import { pause, seedOfRun, tell } from './scale.js';
import { QUICK } from './subject.js';

const DELAYS = [300, 600];
const KEYS = 8;
const OF_EACH = 25;
const STORE = 'xact-download.parked';

let broker: Broker;
const running = new Set<() => Promise<void>>();

beforeEach(async () => {
  broker = await Broker.start({});
});

afterEach(async () => {
  for (const stop of running) await stop();
  running.clear();
  await broker?.stop();
});

/** One process: a worker over a connection of its own. Stopping it is sudden: what is in flight is not settled any more. */
async function start(name: XactWorker, build: (source: Observable<Delivery<LogRecord>>, log: Transport) => Observable<Settled>) {
  const log = await openKafka({ ...QUICK, brokers: broker.brokers });
  const source = log.consume({ topics: consumedTopics(name, DELAYS), group: name, credits: { count: 40, bytes: 1_000_000 } });
  const subscription = build(source.deliveries$, log).subscribe();
  const stop = async (): Promise<void> => {
    running.delete(stop);
    subscription.unsubscribe();
    await log.close();
  };
  running.add(stop);
  return stop;
}

async function run(seed: number, ordered: boolean): Promise<ReadonlyMap<string, readonly number[]>> {
  const random = createRandom(`order ${seed}`);
  const log = await openKafka({ ...QUICK, brokers: broker.brokers });
  running.add(() => log.close());
  await log.ensureTopics(allTopics(DELAYS).map((name) => ({ name, partitions: 4 })));
  // How often each message fails before it is done.
  const failures = new Map<string, number>();
  for (let number = 0; number < OF_EACH; number += 1) {
    for (let key = 0; key < KEYS; key += 1) failures.set(`k${key}-${number}`, Number(random.weighted({ 0: 8, 1: 3, 2: 1 })));
  }
  const downloads = () =>
    start('xact-download', (source, own) => {
      const marks = own.marks(STORE, { capacity: 1000 });
      const retryOrder = new RetryOrder({ group: 'xact-download', marks, store: STORE, waitMs: 150 });
      return xactDownload({
        source,
        sink: carrySink,
        retryDelaysMs: DELAYS,
        ...(ordered ? { retryOrder } : {}),
        download: async ({ url, attempt }) => {
          await pause(random.int(0, 10));
          const name = new URL(url).pathname.slice(1);
          if (attempt < failures.get(name)!) throw new PenstockError('PS4101', 'not yet', { category: 'transient' });
          return { path: `/nowhere/${name}`, bytes: 4, contentType: 'application/pdf', httpStatus: 200 };
        },
      });
    });
  await start('xact-retry', (source) => xactRetry({ source, sink: carrySink, retryDelaysMs: DELAYS }));
  const one = await downloads();
  await downloads();
  const tasks = [...failures.keys()].map((name) => {
    const key = name.slice(0, name.indexOf('-'));
    const task = downloadTask(key, { attachment_url: `https://files.example.com/${name}` });
    return { topic: topicName('xact.downloads_pending'), key: task.trace_id, value: JSON.stringify(task) };
  });
  await log.produce(tasks.slice(0, tasks.length / 2));
  await pause(700);
  await one();
  await downloads();
  await log.produce(tasks.slice(tasks.length / 2));
  for (const deadline = Date.now() + 120_000; ; await pause(250)) {
    const found = await firstCompletions(log);
    if ([...found.values()].reduce((sum, numbers) => sum + numbers.length, 0) === failures.size) return found;
    if (Date.now() > deadline) throw new Error(`not all are done: ${JSON.stringify([...found])}`);
  }
}

/** The numbers of each key in the order in which they were first done. */
async function firstCompletions(log: Transport): Promise<ReadonlyMap<string, readonly number[]>> {
  const found = new Map<string, number[]>();
  const topic = topicName('xact.downloads_cached');
  for (const { partition } of await log.offsets(topic)) {
    for await (const { value } of log.read(topic, partition)) {
      const { attachment_url: url } = JSON.parse(value!.toString()) as { readonly attachment_url: string };
      const [key, number] = new URL(url).pathname.slice(1).split('-') as [string, string];
      const numbers = found.get(key) ?? [];
      found.set(key, numbers);
      if (!numbers.includes(Number(number))) numbers.push(Number(number));
    }
  }
  return found;
}

const seed = seedOfRun();
const IN_ORDER = Array.from({ length: OF_EACH }, (_, at) => at);

it(`L3: the order of a key holds across retries on Kafka while a worker dies and others take over (PENSTOCK_SEED=${seed})`, async () => {
  const found = await run(seed, true);
  tell('a worker dies while keys wait for a retry', `${KEYS} keys, ${OF_EACH} messages of each`, { outOfOrder: disordered(found) });
  for (const [key, numbers] of found) expect(numbers, key).toEqual(IN_ORDER);
});

it(`without it the same load is seen to change places (PENSTOCK_SEED=${seed})`, async () => {
  const found = await run(seed, false);
  tell('the same without the order of keys', `${KEYS} keys, ${OF_EACH} messages of each`, { outOfOrder: disordered(found) });
  expect(disordered(found)).toBeGreaterThan(0);
});

/** How many keys were first done in another order than they came in. */
function disordered(found: ReadonlyMap<string, readonly number[]>): number {
  return [...found.values()].filter((numbers) => numbers.some((number, at) => number !== at)).length;
}
