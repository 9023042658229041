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

  it('a topic that is made anew while it is read, and soon has more records than before: none of them is passed over', async () => {
    const { transport, warnings } = await open();
    await transport.ensureTopics([{ name: 'anew', partitions: 1 }]);
    await produce(transport, 'anew', numbered('a', 20));
    const worker = new Worker(transport, { topics: ['anew'], group: 'anew' });
    await empty(transport, 'anew', 'anew');
    await makeAnew('anew');
    const other = await open();
    await produce(other.transport, 'anew', numbered('b', 30));
    await until('all that is new', () => worker.done.size === 50, 60_000).catch((error: Error) => {
      throw new Error(`${error.message}: ${worker.done.size - 20} of 30; ${JSON.stringify(warnings)}`);
    });
    expect(warnings.join()).toMatch(/anew/);
    await empty(transport, 'anew', 'anew');
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

describe('a log that begins behind where the group stands', () => {
  const remove = (topic: string, before: number) =>
    asAdmin(async (admin) => {
      await admin.fetchTopicOffsets(topic); // else the client does not know the topic
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(before) }] });
    });

  it('records removed while nobody reads: that is named, and what is left is read', async () => {
    const { transport, warnings } = await open();
    await transport.ensureTopics([{ name: 'old', partitions: 1 }]);
    await produce(transport, 'old', numbered('a', 5));
    const first = new Worker(transport, { topics: ['old'], group: 'old' });
    await empty(transport, 'old', 'old');
    first.collector.unsubscribe();
    await produce(transport, 'old', numbered('b', 10));
    await remove('old', 9);
    const second = new Worker(transport, { topics: ['old'], group: 'old' });
    await empty(transport, 'old', 'old');
    expect([...second.done]).toEqual(numbered('b', 10).slice(4));
    expect(warnings.join()).toMatch(/old\/0 .*4 records/);
  });

  it('records removed while the partition is paused: that is named, and what is left is read', async () => {
    const { transport, warnings } = await open({ readAhead: { records: 5, bytes: 1_000_000 }, fetchBytes: 2000 });
    await transport.ensureTopics([{ name: 'old.paused', partitions: 1 }]);
    for (let batch = 0; batch < 10; batch += 1)
      await produce(
        transport,
        'old.paused',
        numbered(`${batch}.`, 10).map((value) => value.padEnd(120)),
      );
    const collector = new Collector(transport.consume({ topics: ['old.paused'], group: 'old.paused', credits: { count: 1, bytes: 1000 } }));
    collectors.push(collector);
    const settled = new Set<string>();
    await collector.has(1);
    await remove('old.paused', 95);
    let at = 0;
    await until(
      'an empty backlog',
      async () => {
        for (; at < collector.deliveries.length; at += 1) {
          const delivery = collector.deliveries[at]!;
          settled.add(delivery.value.value!.toString().trimEnd());
          delivery.settle('delivered');
        }
        return (await transport.backlog('old.paused', ['old.paused'])) === 0;
      },
      60_000,
    );
    expect([...settled].filter((value) => value >= '9.5')).toEqual(numbered('9.', 10).slice(5));
    expect(settled.size).toBeLessThan(100);
    expect(warnings.join()).toMatch(/old\.paused\/0 .*records/);
  });

  it('a group that began at the end keeps its place when records were removed before it: what is left is not passed over', async () => {
    const { transport } = await open({ readAhead: { records: 5, bytes: 1_000_000 }, fetchBytes: 2000 });
    await transport.ensureTopics([{ name: 'old.latest', partitions: 1 }]);
    const reading = { topics: ['old.latest'], group: 'old.latest', from: 'latest', credits: { count: 10, bytes: 100_000 } } as const;
    const first = new Collector(transport.consume(reading), (delivery) => delivery.settle('delivered'));
    collectors.push(first);
    await until('an assignment', () => first.consumer.state().assigned.length === 1);
    await produce(transport, 'old.latest', ['0']);
    await until('the commit', async () => (await transport.committed('old.latest', 'old.latest'))[0]!.offset === 1);
    first.unsubscribe();
    const other = await open({ readAhead: { records: 5, bytes: 1_000_000 }, fetchBytes: 2000 });
    for (let batch = 1; batch <= 10; batch += 1) {
      await produce(
        transport,
        'old.latest',
        numbered(`${batch}.`, 10).map((value) => value.padEnd(120)),
      );
    }
    const second = new Collector(other.transport.consume(reading));
    collectors.push(second);
    await second.has(10);
    await remove('old.latest', 96);
    const last = () => second.deliveries.filter(({ value }) => value.offset >= 96).length;
    let at = 0;
    await until('the last five', () => {
      for (; at < second.deliveries.length; at += 1)
        if (second.deliveries[at]!.value.offset < 96) second.deliveries[at]!.settle('delivered');
      return last() === 5;
    });
    second.unsubscribe();
    const third = new Collector(transport.consume(reading));
    collectors.push(third);
    await third.has(5);
    expect(third.deliveries.map(({ value }) => value.offset)).toEqual([96, 97, 98, 99, 100]);
  });
});
