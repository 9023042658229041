/*
 * Consume, work, produce on a real Apache Kafka: a bare client's `eachBatch` → `sendBatch` loop, and this library's consumer and claims without
 * plugins and with five at each of two stages; all parse and write the same JSON. They take turns on the same records in one process, and each is
 * counted where its records arrive. Then: order per key with 10 ms of asynchronous work for each of many keys; and the memory of a process that is
 * nothing but the worker with plugins.
 *
 *   npx vite build --ssr bench/kafka/throughput.ts --outDir bench/.out && node --expose-gc bench/.out/throughput.js [records] [rounds]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { type Observable, tap } from 'rxjs';
import { type Delivery, inLanes, mapEach } from '../../operators/index.js';
import { chain, defineOpenPlugin, messages, PluginContext } from '../../src/plugin/index.js';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { Consumer, LogRecord, Transport } from '../../src/transport/transport.js';
import { Broker } from '../../test/broker/broker.js';

const RECORDS = Number(process.argv[2] ?? 120_000);
const ROUNDS = Number(process.argv[3] ?? 5);
const KEYED = Math.min(RECORDS, 60_000);
const PARTITIONS = 6;
const KEYS = 10_000;
const CREDITS = { count: 4000, bytes: 32 * 1024 * 1024 };

interface Claim {
  readonly id: number;
  readonly status: string;
  readonly retry_count: number;
  readonly text: string;
}

const about = { version: '1.0.0', summary: 'A step of the comparison.', reads: messages<Claim>() };
let looked = 0;
const five = (stage: string) =>
  Array.from({ length: 5 }, (_, index) =>
    defineOpenPlugin({
      ...about,
      name: `${stage}_${index}`,
      create: () => (context) => void (context.message.id % 5 === index && (looked += 1)),
    })(),
  );

type Work = (source: Observable<Delivery<PluginContext<Claim>>>) => Observable<Delivery<PluginContext<Claim>>>;
const none: Work = (source) => source;
const plugged: Work = (source) => {
  const first = chain(...five('first')) as unknown as Work;
  const second = chain(...five('second')) as unknown as Work;
  return second(first(source));
};

const parsed = ({ value, key, timestamp }: LogRecord) =>
  new PluginContext<Claim>({
    domain: 'bench',
    stage: 'any',
    event_id: key?.toString() ?? '',
    event_type: 'claim',
    message: JSON.parse(value!.toString()) as Claim,
    data: {},
    timestamp: new Date(timestamp),
  });

/** Starts a worker that copies every record to `out`. */
function worker(transport: Transport, from: string, group: string, out: string, work: Work): Consumer {
  const consumer = transport.consume({ topics: [from], group, credits: CREDITS });
  consumer.deliveries$
    .pipe(
      mapEach(parsed),
      work,
      tap((delivery) => {
        const { message, event_id } = delivery.value;
        delivery.carry({ kind: 'produce', record: { topic: out, key: event_id, value: JSON.stringify(message) } });
        delivery.settle('delivered');
      }),
    )
    .subscribe();
  return consumer;
}

async function arrived(transport: Transport, out: string): Promise<number> {
  return (await transport.offsets(out)).reduce((sum, { end }) => sum + end, 0);
}

/** Seconds from the start of `begin` until all records are in `out`. */
async function timed(transport: Transport, out: string, count: number, begin: () => Promise<() => Promise<void>>) {
  await transport.ensureTopics([{ name: out, partitions: PARTITIONS }]);
  (globalThis as { gc?: () => void }).gc?.();
  const from = performance.now();
  const processor = process.cpuUsage();
  const stop = await begin();
  while ((await arrived(transport, out)) < count) await new Promise((resolve) => setTimeout(resolve, 25));
  const seconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(processor);
  await stop();
  const extra = (await arrived(transport, out)) - count;
  if (extra > 0) console.log(`  ${out}: ${extra} records more than were sent`);
  return { rate: count / seconds, micros: (user + system) / count };
}

/** A process of its own: works off all of `in` with plugins, and says how much of it was resident at the most, in megabytes. */
async function workerAlone(brokers: readonly string[], count: number): Promise<void> {
  const transport = await openKafka({ brokers });
  await timed(transport, 'out.alone', count, () => {
    const consumer = worker(transport, 'in', 'alone', 'out.alone', plugged);
    return Promise.resolve(() => consumer.drain());
  });
  const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))!;
  process.stdout.write(String(Math.round(Number(peak) / 1024)));
  await transport.close();
}

if (process.argv[4] !== undefined) {
  await workerAlone(process.argv[4].split(','), RECORDS);
  process.exit(0);
}

const broker = await Broker.start();
const transport = await openKafka({ brokers: broker.brokers });
const bare = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING });

await transport.ensureTopics([{ name: 'in', partitions: PARTITIONS }]);
const text = 'x'.repeat(900);
for (let at = 0; at < RECORDS; at += 2000) {
  await transport.produce(
    Array.from({ length: Math.min(2000, RECORDS - at) }, (_, index) => {
      const id = at + index;
      return { topic: 'in', key: `k${id % KEYS}`, value: JSON.stringify({ id, status: 'completed', retry_count: id % 4, text }) };
    }),
  );
}

let runs = 0;
const modes: Readonly<Record<string, () => Promise<{ rate: number; micros: number }>>> = {
  bare: () => {
    const out = `out.${(runs += 1)}`;
    return timed(transport, out, RECORDS, async () => {
      const producer = bare.producer();
      const consumer = bare.consumer({ groupId: out, maxWaitTimeInMs: 250 });
      await producer.connect();
      await consumer.connect();
      await consumer.subscribe({ topics: ['in'], fromBeginning: true });
      await consumer.run({
        partitionsConsumedConcurrently: PARTITIONS,
        eachBatch: async ({ batch }) => {
          const copies = batch.messages.map(({ key, value }) => ({ key, value: JSON.stringify(JSON.parse(value!.toString())) }));
          await producer.sendBatch({ topicMessages: [{ topic: out, messages: copies }] });
        },
      });
      return async () => {
        await consumer.disconnect();
        await producer.disconnect();
      };
    });
  },
  'no plugins': () => ours(none),
  '2 × 5 plugins': () => ours(plugged),
};

function ours(work: Work) {
  const out = `out.${(runs += 1)}`;
  return timed(transport, out, RECORDS, () => {
    const consumer = worker(transport, 'in', out, out, work);
    return Promise.resolve(() => consumer.drain());
  });
}

const names = Object.keys(modes);
const found = new Map(names.map((name) => [name, [] as { rate: number; micros: number }[]]));
for (const name of names) await modes[name]!();
for (let round = 0; round < ROUNDS; round += 1) {
  for (let step = 0; step < names.length; step += 1) {
    const name = names[(round + step) % names.length]!;
    found.get(name)!.push(await modes[name]!());
  }
}

const median = (list: readonly number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
const show = (list: readonly number[], digits: number) =>
  `${median(list).toFixed(digits)} (${Math.min(...list).toFixed(digits)}-${Math.max(...list).toFixed(digits)})`;
console.log(
  `${cpus().length} × ${cpus()[0]!.model}, Node ${process.version}, Kafka ${broker.version}, ${RECORDS} records of 1 KB, ${ROUNDS} rounds`,
);
console.log('way | records a second | processor µs a record | to bare | to no plugins');
for (const name of names) {
  const own = found.get(name)!;
  const to = (other: string) => own.map(({ rate }, round) => rate / found.get(other)![round]!.rate);
  const rates = own.map(({ rate }) => rate);
  const micros = own.map((each) => each.micros);
  console.log([name, show(rates, 0), show(micros, 1), show(to('bare'), 2), show(to('no plugins'), 2)].join(' | '));
}

const keyed = await timed(transport, 'out.keyed', KEYED, () => {
  const consumer = transport.consume({ topics: ['in'], group: 'keyed', credits: CREDITS });
  let started = 0;
  consumer.deliveries$
    .pipe(
      inLanes<LogRecord>({ key: ({ key }) => key?.toString() ?? '' }),
      tap((delivery) => {
        if ((started += 1) > KEYED) return;
        setTimeout(() => {
          delivery.carry({ kind: 'produce', record: { topic: 'out.keyed', key: delivery.value.key, value: delivery.value.value } });
          delivery.settle('delivered');
        }, 10);
      }),
    )
    .subscribe();
  return Promise.resolve(() => Promise.resolve());
});
console.log(`order per key, ${KEYS} keys, 10 ms each: ${keyed.rate.toFixed(0)} a second`);
const alone = execFileSync(process.execPath, [fileURLToPath(import.meta.url), `${RECORDS}`, '0', broker.brokers.join()], {
  encoding: 'utf8',
});
console.log(`a process that is nothing but the worker with plugins: ${alone} MB resident at the most`);
await transport.close();
await broker.stop();
