import { readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openKafka, type KafkaOptions } from '../../src/transport/kafka/index.js';
import type { ConsumeOptions, Transport } from '../../src/transport/transport.js';
import { Broker } from '../broker/broker.js';
import { FetchProxy } from '../broker/proxy.js';
import { Collector, doorOf, until } from '../transport/collector.js';
import { QUICK } from './subject.js';

/** Far below what is usual, so that a stall is named soon; above the client's own patience with one fetch. */
const STALL_MS = 4000;

let proxy: FetchProxy;
let broker: Broker;
const opened: Transport[] = [];
const collectors: Collector[] = [];

beforeAll(async () => {
  proxy = await FetchProxy.open();
  broker = await Broker.start({
    set: {
      'advertised.listeners': `PLAINTEXT://${proxy.address}`,
      'broker.session.timeout.ms': 3000,
      'broker.heartbeat.interval.ms': 500,
    },
  });
  proxy.to(broker.brokers[0]!);
});

afterEach(async () => {
  proxy.fate = () => 'pass';
  for (const collector of collectors.splice(0)) collector.unsubscribe();
  for (const transport of opened.splice(0)) await transport.close();
});

afterAll(async () => {
  await broker?.stop();
  proxy?.close();
});

async function open(options: Partial<KafkaOptions> = {}) {
  const warnings: string[] = [];
  const codes: (string | undefined)[] = [];
  const onWarning = (error: Error) => {
    warnings.push(error.message);
    codes.push((error as { readonly code?: string }).code);
  };
  const transport = await openKafka({ ...QUICK, brokers: [proxy.address], stallMs: STALL_MS, onWarning, ...options });
  opened.push(transport);
  return { transport, warnings, codes };
}

/** With connections of its own: the broker may have been away, and topics are others than before. */
async function asAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [proxy.address], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Takes what comes, and notes what has durably left. */
class Worker {
  readonly done = new Set<string>();
  readonly collector: Collector;

  constructor(
    transport: Transport,
    options: Partial<ConsumeOptions> & { readonly topics: readonly string[]; readonly group: string },
    holds?: string,
  ) {
    this.collector = new Collector(transport.consume({ credits: { count: 1000, bytes: 10_000_000 }, ...options }), (delivery) => {
      const value = delivery.value.value!.toString();
      if (value === holds) return;
      delivery.whenSettled((outcome) => {
        if (outcome === 'delivered') this.done.add(value);
      });
      delivery.settle('delivered');
    });
    collectors.push(this.collector);
  }

  /** How often each value was handed out, those of once left out. */
  get repeated(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const value of this.collector.values) counts[value!] = (counts[value!] ?? 0) + 1;
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 1));
  }
}

function numbered(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

async function produce(transport: Transport, topic: string, values: readonly string[], partitions = 1): Promise<void> {
  await transport.produce(values.map((value, index) => ({ topic, partition: index % partitions, key: null, value })));
}

const empty = (transport: Transport, group: string, topic: string) =>
  until('an empty backlog', async () => (await transport.backlog(group, [topic])) === 0, 60_000);

describe('a partition that gives nothing', () => {
  it('is named, and the consumer made anew: everything is delivered, and again only what was not finished', async () => {
    const { transport, warnings } = await open();
    await transport.ensureTopics([{ name: 'stall', partitions: 3 }]);
    const worker = new Worker(transport, { topics: ['stall'], group: 'stall' }, 'a7');
    await produce(transport, 'stall', numbered('a', 30), 3);
    await until('the first', () => worker.done.size === 29);
    const before = proxy.connections;
    proxy.fate = (connection, topic, partition) => (connection <= before && topic === 'stall' && partition === 1 ? 'empty' : 'pass');
    await produce(transport, 'stall', numbered('b', 30), 3);
    await until('the other partitions', () => worker.done.size === 29 + 20);
    expect(warnings).toEqual([]);
    await until('the stalled one', () => worker.done.size === 29 + 30, 30_000);
    expect(warnings).toEqual([expect.stringMatching(/^stall\/1 has 10 records and gives none for \d+ s: the consumer is made anew$/)]);
    expect(worker.repeated).toEqual({ a7: 2 });
    const last = worker.collector.deliveries.findLast(({ value }) => value.value!.toString() === 'a7')!;
    last.settle('delivered');
    expect(await doorOf(last)).toBe('delivered');
    await empty(transport, 'stall', 'stall');
  });

  it('fetches that are never answered: the silence is named, and the consumer made anew', async () => {
    const { transport, warnings } = await open();
    await transport.ensureTopics([{ name: 'mute', partitions: 2 }]);
    const worker = new Worker(transport, { topics: ['mute'], group: 'mute' });
    await produce(transport, 'mute', numbered('a', 10), 2);
    await until('the first', () => worker.done.size === 10);
    const before = proxy.connections;
    proxy.fate = (connection, topic) => (connection <= before && topic === 'mute' ? 'swallow' : 'pass');
    await produce(transport, 'mute', numbered('b', 10), 2);
    await until('the others', () => worker.done.size === 20, 40_000);
    expect(warnings.join()).toMatch(
      /group mute has not been told of this member for \d+ s: the consumer is made anew|mute\/\d has \d+ records and gives none/,
    );
    expect(worker.repeated).toEqual({});
  });
});

describe('a log that ends before where the group stands', () => {
  const cutTo = async (topic: string, bytes: number) => {
    await broker.node(1).kill();
    const folder = join(broker.node(1).data, `${topic}-0`);
    for (const name of await readdir(folder)) {
      if (name.endsWith('.log')) await truncate(join(folder, name), bytes);
      else if (!name.startsWith('partition.metadata')) await rm(join(folder, name), { recursive: true });
    }
    await broker.node(1).up();
  };

  const makeAnew = (topic: string) =>
    asAdmin(async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
      await until('the end of the topic', async () => !(await admin.listTopics()).includes(topic));
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
    });

  it('cut while nobody reads: it is named, and read from its start', async () => {
    const { transport, warnings, codes } = await open();
    await transport.ensureTopics([{ name: 'cut', partitions: 1 }]);
    for (const value of numbered('a', 6)) await produce(transport, 'cut', [value]);
    const first = new Worker(transport, { topics: ['cut'], group: 'cut' });
    await empty(transport, 'cut', 'cut');
    first.collector.unsubscribe();
    // Each of the six is a batch of its own, and all are alike.
    await cutTo('cut', 4 * 70);
    const [bounds] = await transport.offsets('cut');
    expect(bounds!.end).toBeGreaterThan(0);
    expect(bounds!.end).toBeLessThan(6);
    const second = new Worker(transport, { topics: ['cut'], group: 'cut' });
    await until('what is left', () => second.done.size === bounds!.end, 60_000);
    expect(warnings.filter((text) => text.startsWith('cut/0 '))).toEqual([
      `cut/0 ends at ${bounds!.end}, group cut has come to 6: the topic was made anew or cut; it is read from its start`,
    ]);
    expect(codes).toContain('PS3004');
    await produce(transport, 'cut', numbered('b', 10));
    await until('what is new', () => second.done.size === bounds!.end + 10);
    await empty(transport, 'cut', 'cut');
  });

  it('cut while it is read: it is named, and read from its start', async () => {
    const { transport, warnings } = await open();
    await transport.ensureTopics([{ name: 'cut.live', partitions: 1 }]);
    for (const value of numbered('a', 6)) await produce(transport, 'cut.live', [value]);
    const worker = new Worker(transport, { topics: ['cut.live'], group: 'cut.live' });
    await empty(transport, 'cut.live', 'cut.live');
    await cutTo('cut.live', 4 * 70);
    const [bounds] = await transport.offsets('cut.live');
    expect(bounds!.end).toBeLessThan(6);
    await until('what is left, again', () => worker.collector.deliveries.length === 6 + bounds!.end, 60_000);
    expect(warnings.join('; ')).toMatch(/cut\.live\/0 ends at \d, group cut\.live has come to 6/);
    await produce(transport, 'cut.live', numbered('b', 10));
    await until('what is new', () => worker.done.size === 16, 60_000);
    await empty(transport, 'cut.live', 'cut.live');
  });

  it('a topic that is made anew while it is read, and has fewer records than before: it is named, and read from its start', async () => {
    const { transport, warnings } = await open();
    await transport.ensureTopics([{ name: 'fewer', partitions: 1 }]);
    await produce(transport, 'fewer', numbered('a', 20));
    const worker = new Worker(transport, { topics: ['fewer'], group: 'fewer' });
    await empty(transport, 'fewer', 'fewer');
    await makeAnew('fewer');
    const other = await open();
    await produce(other.transport, 'fewer', numbered('b', 5));
    await until('all that is new', () => worker.done.size === 25, 60_000);
    expect(worker.repeated).toEqual({});
    expect(warnings.join()).toMatch(/fewer/);
    await empty(transport, 'fewer', 'fewer');
  });

  it('a topic that is made anew while nobody reads: it is read from its start', async () => {
    const { transport } = await open();
    await transport.ensureTopics([{ name: 'anew.later', partitions: 1 }]);
    await produce(transport, 'anew.later', numbered('a', 20));
    const first = new Worker(transport, { topics: ['anew.later'], group: 'anew.later' });
    await empty(transport, 'anew.later', 'anew.later');
    first.collector.unsubscribe();
    await makeAnew('anew.later');
    const other = await open();
    await produce(other.transport, 'anew.later', numbered('b', 5));
    const second = new Worker(other.transport, { topics: ['anew.later'], group: 'anew.later' });
    await until('all that is new', () => second.done.size === 5, 30_000);
  });
});
