import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Kafka, logLevel } from 'kafkajs';
import { openKafka, type KafkaOptions } from '../../src/transport/kafka/index.js';
import type { ConsumeOptions, Transport } from '../../src/transport/transport.js';
import { Broker } from '../broker/broker.js';
import { Collector, doorOf, until } from '../transport/collector.js';
import { pause, tell } from './scale.js';
import { QUICK } from './subject.js';

let broker: Broker;
const opened: Transport[] = [];
const collectors: Collector[] = [];

beforeAll(async () => {
  broker = await Broker.start({ set: { 'broker.session.timeout.ms': 3000, 'broker.heartbeat.interval.ms': 500 } });
});

afterEach(async () => {
  for (const collector of collectors.splice(0)) collector.unsubscribe();
  for (const transport of opened.splice(0)) await transport.close();
});

afterAll(() => broker?.stop());

async function open(options: Partial<KafkaOptions> = {}): Promise<Transport> {
  const transport = await openKafka({ ...QUICK, brokers: broker.brokers, ...options });
  opened.push(transport);
  return transport;
}

function collect(
  transport: Transport,
  options: Partial<ConsumeOptions> & { readonly topics: readonly string[]; readonly group: string },
  onEach?: ConstructorParameters<typeof Collector>[1],
): Collector {
  const collector = new Collector(transport.consume({ credits: { count: 100, bytes: 1_000_000 }, ...options }), onEach);
  collectors.push(collector);
  return collector;
}

it('dedupe marks are read by whoever gets the partition next, before its first delivery', async () => {
  const first = await open();
  await first.ensureTopics([{ name: 'marked', partitions: 2 }]);
  await first.produce(['a', 'b'].map((value, partition) => ({ topic: 'marked', partition, key: null, value })));
  const book = first.marks('seen', { capacity: 100 });
  const one = collect(first, { topics: ['marked'], group: 'marked' });
  for (const delivery of await one.has(2)) {
    delivery.carry({ kind: 'mark', store: 'seen', key: delivery.value.value!.toString(), expiresAt: Date.now() + 60_000 });
    delivery.settle('delivered');
    expect(await doorOf(delivery)).toBe('delivered');
  }
  expect(book.has('a', Date.now())).toBe(true);
  const second = await open();
  const other = second.marks('seen', { capacity: 100 });
  expect(other.has('a', Date.now())).toBe(false);
  one.unsubscribe();
  await first.produce(['a', 'b'].map((value, partition) => ({ topic: 'marked', partition, key: null, value })));
  const seen: boolean[] = [];
  const two = collect(second, { topics: ['marked'], group: 'marked' }, ({ value }) =>
    seen.push(other.has(value.value!.toString(), Date.now())),
  );
  await two.has(2);
  expect(seen).toEqual([true, true]);
});

it('what has left beyond the prefix fits into the commit: intake slows as it fills, and a restart repeats nothing of it', async () => {
  const transport = await open();
  await transport.ensureTopics([{ name: 'holes', partitions: 1 }]);
  await transport.produce(Array.from({ length: 6000 }, (_, index) => ({ topic: 'holes', key: null, value: `${index}` })));
  const credits = { count: 10_000, bytes: 10_000_000 };
  // Every second one is held: each that leaves is a range of its own.
  const first = collect(transport, { topics: ['holes'], group: 'holes', credits }, (delivery) => {
    if (delivery.value.offset % 2 === 1) delivery.settle('delivered');
  });
  await until('intake to slow down', () => {
    const { inFlight, paused } = first.consumer.state();
    return paused === 1 && first.deliveries.filter(({ outcome }) => outcome === undefined).length === inFlight;
  });
  await pause(500);
  const settled = first.deliveries.filter(({ outcome }) => outcome !== undefined);
  expect(first.deliveries.length).toBeLessThan(6000);
  expect(first.consumer.state().progressFill).toBeGreaterThan(0.5);
  expect(await transport.backlog('holes', ['holes'])).toBe(6000 - settled.length);
  first.unsubscribe();
  const second = collect(transport, { topics: ['holes'], group: 'holes', credits }, (delivery) => delivery.settle('delivered'));
  await until('an empty backlog', async () => (await transport.backlog('holes', ['holes'])) === 0, 30_000);
  expect(new Set(second.values).size).toBe(6000 - settled.length);
  expect(settled.filter(({ value }) => second.values.includes(value.value!.toString()))).toEqual([]);
});

it('B2, L2: a broker that is killed and comes back: nothing is lost, and consumers and producers go on by themselves', async () => {
  const transport = await open({ deliveryTimeoutMs: 60_000 });
  await transport.ensureTopics(['restart', 'restart.out'].map((name) => ({ name, partitions: 3 })));
  const collector = collect(transport, { topics: ['restart'], group: 'restart' }, (delivery) => {
    delivery.carry({ kind: 'produce', record: { topic: 'restart.out', key: delivery.value.key, value: delivery.value.value } });
    delivery.settle('delivered');
  });
  const sent: string[] = [];
  let over = false;
  const producing = (async () => {
    for (let number = 0; !over; number += 1) {
      await transport.produce([{ topic: 'restart', key: `${number % 7}`, value: `${number}` }]);
      sent.push(`${number}`);
      await pause(5);
    }
  })();
  await until('a start', () => sent.length > 50);
  await broker.node(1).kill();
  await pause(2000);
  await broker.node(1).up();
  const before = sent.length;
  await until('the producer to go on', () => sent.length > before + 50, 60_000);
  over = true;
  await producing;
  await until('an empty backlog', async () => (await transport.backlog('restart', ['restart'])) === 0, 60_000);
  const copied: string[] = [];
  for (const partition of [0, 1, 2]) for await (const { value } of transport.read('restart.out', partition)) copied.push(value!.toString());
  const lost = sent.filter((value) => !copied.includes(value)).length;
  tell('the only broker is killed and comes back', '1 kill', { sent: sent.length, lost, repeated: copied.length - new Set(copied).size });
  expect(new Set(copied)).toEqual(new Set(sent));
  expect(collector.error).toBeUndefined();
});

it('a topic that is deleted is named, others go on, and it is taken up from its start when it is made anew', async () => {
  const warnings: string[] = [];
  const transport = await open({ onWarning: (error) => warnings.push(error.message) });
  await transport.ensureTopics(['gone', 'stays'].map((name) => ({ name, partitions: 1 })));
  await transport.produce(['gone', 'stays'].map((topic) => ({ topic, key: null, value: 'first' })));
  const collector = collect(transport, { topics: ['gone', 'stays'], group: 'gone' }, (delivery) => delivery.settle('delivered'));
  await collector.has(2);
  await until('the commit', async () => (await transport.backlog('gone', ['gone', 'stays'])) === 0);
  const admin = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: ['gone'] });
  await until('the name of the topic', () => warnings.some((text) => text.includes('topic gone is not there')), 60_000);
  await transport.produce([{ topic: 'stays', key: null, value: 'second' }]);
  await until('the other topic', () => collector.values.includes('second'), 60_000);
  await admin.disconnect();
  await transport.ensureTopics([{ name: 'gone', partitions: 1 }]);
  await transport.produce([{ topic: 'gone', key: null, value: 'anew' }]);
  await until('the new topic', () => collector.values.includes('anew'), 60_000);
  tell('a topic is deleted and made anew', '1 topic', { named: true, handedOut: collector.values });
});

it('a handler slower than the session keeps its place in the group, and nothing is handed out twice', async () => {
  const transport = await open({ sessionTimeoutMs: 6000 });
  await transport.ensureTopics([{ name: 'slow', partitions: 1 }]);
  await transport.produce(['a', 'b', 'c'].map((value) => ({ topic: 'slow', key: null, value })));
  const collector = collect(transport, { topics: ['slow'], group: 'slow' });
  const [a, b, c] = await collector.has(3);
  const { epoch, lost } = collector.consumer.state().assigned[0]!;
  await pause(9000);
  tell('a handler slower than the session', '9 s, session 6 s', { evicted: lost.aborted, handedOut: collector.deliveries.length, of: 3 });
  expect([collector.deliveries.length, lost.aborted]).toEqual([3, false]);
  for (const delivery of [c!, b!, a!]) delivery.settle('delivered');
  expect(await doorOf(a!)).toBe('delivered');
  expect(collector.consumer.state().assigned[0]!.epoch).toBe(epoch);
  expect((await transport.committed('slow', 'slow'))[0]!.offset).toBe(3);
});

it('records up to the size that the topic takes travel; a larger one is refused before it is sent', async () => {
  const transport = await open();
  await transport.ensureTopics([{ name: 'large', partitions: 1 }]);
  const most = 1_048_588 - 300;
  await transport.produce([
    { topic: 'large', key: 'k', value: Buffer.alloc(most, 1) },
    { topic: 'large', key: 'k', value: Buffer.alloc(most, 2) },
    { topic: 'large', key: 'k', value: 'small' },
  ]);
  await expect(transport.produce([{ topic: 'large', key: 'k', value: Buffer.alloc(1_100_000) }])).rejects.toMatchObject({ code: 'PS4101' });
  const sizes = [];
  for await (const { value } of transport.read('large', 0)) sizes.push(value!.length);
  expect(sizes).toEqual([most, most, 5]);
});
