import { createServer } from 'node:net';
import kafkajs, { type Admin, Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openKafka, type KafkaOptions } from '../../src/transport/kafka/index.js';
import type { ConsumeOptions, Transport } from '../../src/transport/transport.js';
import { Broker } from '../broker/broker.js';
import { Collector, until } from '../transport/collector.js';
import { QUICK } from './subject.js';

const STALL_MS = 4000;

let broker: Broker;
const opened: Transport[] = [];
const collectors: Collector[] = [];

beforeAll(async () => {
  broker = await Broker.start({
    set: {
      'broker.session.timeout.ms': 3000,
      'broker.heartbeat.interval.ms': 500,
      'log.cleaner.backoff.ms': 100,
      'log.retention.check.interval.ms': 500,
      'log.initial.task.delay.ms': 500,
    },
  });
});

afterEach(async () => {
  for (const collector of collectors.splice(0)) collector.unsubscribe();
  for (const transport of opened.splice(0)) await transport.close();
});

afterAll(() => broker?.stop());

async function open(options: Partial<KafkaOptions> = {}) {
  const warnings: string[] = [];
  const onWarning = (error: Error) => void warnings.push(error.message);
  const transport = await openKafka({ ...QUICK, brokers: broker.brokers, stallMs: STALL_MS, onWarning, ...options });
  opened.push(transport);
  return { transport, warnings };
}

function client(): Kafka {
  return new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING });
}

async function asAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client().admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

function take(transport: Transport, options: Partial<ConsumeOptions> & Pick<ConsumeOptions, 'topics' | 'group'>, holds = false): Collector {
  const collector = new Collector(transport.consume({ credits: { count: 1000, bytes: 10_000_000 }, ...options }), (delivery) => {
    if (!holds) delivery.settle('delivered');
  });
  collectors.push(collector);
  return collector;
}

function numbered(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

async function produce(transport: Transport, topic: string, values: readonly string[], partitions = 1): Promise<void> {
  await transport.produce(values.map((value, index) => ({ topic, partition: index % partitions, key: null, value })));
}

const empty = (transport: Transport, group: string, topic: string, ms = 60_000) =>
  until('an empty backlog', async () => (await transport.backlog(group, [topic])) === 0, ms);

/** Waits until all of these values have been handed out. */
async function come(taken: Collector, values: readonly string[]): Promise<void> {
  const missing = () => {
    const seen = new Set(taken.values);
    return values.filter((value) => !seen.has(value));
  };
  await until('all values', () => missing().length === 0, 20_000).catch((error: Error) => {
    throw new Error(`${error.message}, without ${missing().join()}`);
  });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function inTransaction(topic: string, values: readonly string[], commit: boolean): Promise<void> {
  const producer = client().producer({ transactionalId: `${topic}.writer`, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) });
  await (commit ? transaction.commit() : transaction.abort());
  await producer.disconnect();
}

describe('logs that transactions have written', () => {
  it('the end of a transaction is no backlog', async () => {
    const { transport, warnings } = await open();
    await transport.ensureTopics([{ name: 'txn', partitions: 1 }]);
    const taken = take(transport, { topics: ['txn'], group: 'txn' });
    await inTransaction('txn', numbered('a', 3), true);
    await taken.has(3);
    await empty(transport, 'txn', 'txn', 5000);
    await produce(transport, 'txn', ['b']);
    await taken.has(4);
    expect(taken.values).toEqual(['a0', 'a1', 'a2', 'b']);
    expect(warnings).toEqual([]);
  });

  it('an aborted transaction that is longer than a fetch is passed over', async () => {
    const { transport, warnings } = await open({ fetchBytes: 20_000 });
    await transport.ensureTopics([{ name: 'aborted', partitions: 1 }]);
    const taken = take(transport, { topics: ['aborted'], group: 'aborted' });
    await produce(transport, 'aborted', ['a']);
    await taken.has(1);
    const producer = client().producer({ transactionalId: 'aborted.writer', idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const transaction = await producer.transaction();
    for (let n = 0; n < 10; n += 1) await transaction.send({ topic: 'aborted', messages: [{ value: 'x'.repeat(15_000), partition: 0 }] });
    await transaction.abort();
    await producer.disconnect();
    await produce(transport, 'aborted', ['b']);
    await come(taken, ['b']);
    expect(taken.values).toEqual(['a', 'b']);
    expect(warnings).toEqual([]);
  });
});

describe('compacted logs', () => {
  it('a segment that ends with a batch which compaction has emptied is left behind', async () => {
    const { transport, warnings } = await open();
    const config = {
      'cleanup.policy': 'compact',
      'segment.bytes': '1048576',
      'min.cleanable.dirty.ratio': '0.01',
      'max.message.bytes': '1000000',
    };
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    await asAdmin((admin) => admin.createTopics({ topics: [{ topic: 'compact', numPartitions: 1, configEntries }], waitForLeaders: true }));
    // The last batch of each producer stays, if only as an empty one.
    const write = async (...records: readonly (readonly [string, string])[]) => {
      const producer = client().producer({ idempotent: true, maxInFlightRequests: 1 });
      await producer.connect();
      for (const [key, value] of records) await producer.send({ topic: 'compact', messages: [{ key, value, partition: 0 }] });
      await producer.disconnect();
    };
    const large = 'x'.repeat(400_000);
    await write(['a', large], ['b', large]);
    await write(['k', 'before']);
    await write(['c', large], ['d', large]);
    await write(['k', 'after']);
    await write(['e', large], ['f', large], ['g', large]);
    const keys = async () => {
      const found: string[] = [];
      for await (const { key } of transport.read('compact', 0)) found.push(key!.toString());
      return found.join('');
    };
    await until('compaction', async () => (await keys()) === 'abcdkefg', 20_000);
    const taken = take(transport, { topics: ['compact'], group: 'compact' });
    await until('all', () => taken.deliveries.length === 8, 20_000);
    expect(warnings).toEqual([]);
    await empty(transport, 'compact', 'compact');
  });
});

describe('a group that begins at the end', () => {
  it('keeps the place where it began: what came and was not settled is not passed over', async () => {
    const { transport } = await open();
    await transport.ensureTopics([{ name: 'late', partitions: 1 }]);
    await produce(transport, 'late', numbered('old', 3));
    const first = take(transport, { topics: ['late'], group: 'late', from: 'latest' }, true);
    await until('an assignment', () => first.consumer.state().assigned.length === 1);
    await pause(500);
    await produce(transport, 'late', numbered('a', 3));
    await first.has(3);
    first.unsubscribe();
    await transport.close();
    const other = await open();
    const second = take(other.transport, { topics: ['late'], group: 'late', from: 'latest' });
    await until('an assignment', () => second.consumer.state().assigned.length === 1);
    await pause(500);
    await produce(other.transport, 'late', ['b']);
    await come(second, ['b']);
    expect(second.values).toEqual(['a0', 'a1', 'a2', 'b']);
  });

  it('reads partitions that were added meanwhile from their start', async () => {
    const { transport } = await open({ metadataMaxAgeMs: 2000 });
    await transport.ensureTopics([{ name: 'grown', partitions: 1 }]);
    const taken = take(transport, { topics: ['grown'], group: 'grown', from: 'latest' });
    await until('an assignment', () => taken.consumer.state().assigned.length === 1);
    await produce(transport, 'grown', ['a']);
    await taken.has(1);
    await transport.ensureTopics([{ name: 'grown', partitions: 3 }]);
    await produce(transport, 'grown', numbered('b', 9), 3);
    await until('an assignment', () => taken.consumer.state().assigned.length === 3, 20_000);
    await produce(transport, 'grown', numbered('c', 9), 3);
    await come(taken, numbered('c', 9));
    expect([...taken.values].toSorted()).toEqual(['a', ...numbered('b', 9), ...numbered('c', 9)].toSorted());
  });
});

describe('topics that are made anew', () => {
  const again = (topic: string, partitions: number) =>
    asAdmin(async (admin) => {
      await admin.deleteTopics({ topics: [topic] });
      await until('the end of the topic', async () => !(await admin.listTopics()).includes(topic));
      await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
    });

  it('all at the same time are all read from their starts', async () => {
    const { transport, warnings } = await open();
    const topics = ['twin.a', 'twin.b', 'twin.c'];
    await transport.ensureTopics(topics.map((name) => ({ name, partitions: 3 })));
    for (const topic of topics) await produce(transport, topic, numbered(`${topic}-`, 30), 3);
    const taken = take(transport, { topics, group: 'twin' });
    await taken.has(90);
    for (const topic of topics) await empty(transport, 'twin', topic);
    await Promise.all(topics.map((topic) => again(topic, 3)));
    const other = await open();
    for (const topic of topics) await produce(other.transport, topic, numbered(`${topic}+`, 12), 3);
    const wanted = topics.flatMap((topic) => numbered(`${topic}+`, 12));
    await come(taken, wanted);
    expect(warnings.toSorted()).toEqual(topics.map((topic) => `topic ${topic} was made anew: it is read from its start`));
  });

  for (const partitions of [1, 5]) {
    it(`with ${partitions} partitions instead of 3 are read whole`, async () => {
      const { transport, warnings } = await open();
      const topic = `resized.${partitions}`;
      await transport.ensureTopics([{ name: topic, partitions: 3 }]);
      await produce(transport, topic, numbered('a', 30), 3);
      const taken = take(transport, { topics: [topic], group: topic });
      await taken.has(30);
      await empty(transport, topic, topic);
      await again(topic, partitions);
      const other = await open();
      await produce(other.transport, topic, numbered('b', 100), partitions);
      await come(taken, numbered('b', 100));
      expect(warnings).toEqual([`topic ${topic} was made anew: it is read from its start`]);
      await empty(transport, topic, topic, 10_000);
    });
  }
});

describe('two consumers that are one member', () => {
  it('one that drains does not take from the other what is out', async () => {
    const { transport } = await open();
    await transport.ensureTopics([
      { name: 'left', partitions: 1 },
      { name: 'right', partitions: 1 },
    ]);
    const credits = { count: 10, bytes: 100_000 };
    const consumers = ['left', 'right'].map((topic) => transport.consume({ topics: [topic], group: 'pair', credits }));
    const left = new Collector(consumers[0]!, (delivery) => delivery.settle('delivered'));
    const right = new Collector(consumers[1]!);
    collectors.push(left, right);
    await produce(transport, 'left', ['l']);
    await produce(transport, 'right', ['r']);
    await left.has(1);
    await right.has(1);
    await empty(transport, 'pair', 'left');
    let lost = false;
    right.consumer.state().assigned[0]!.lost.addEventListener('abort', () => {
      lost = true;
    });
    let door = '';
    right.deliveries[0]!.whenSettled((outcome) => {
      door = outcome;
    });
    const first = left.consumer.drain();
    const second = right.consumer.drain();
    await first;
    await pause(1500);
    const before = { lost, door };
    right.deliveries[0]!.settle('delivered');
    await second;
    expect(before).toEqual({ lost: false, door: '' });
    expect({ lost: before.lost, door }).toEqual({ lost: false, door: 'delivered' });
    expect((await transport.committed('pair', 'right'))[0]!.offset).toBe(1);
  });
});

it('a broker that accepts connections and says nothing does not keep the others from being heard', async () => {
  const mute = createServer(() => undefined);
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const address = mute.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  for (const brokers of [
    [`127.0.0.1:${port}`, ...broker.brokers],
    [...broker.brokers, `127.0.0.1:${port}`],
  ]) {
    const { transport } = await open({ brokers, connectMs: 200 });
    await transport.ensureTopics([{ name: 'heard', partitions: 1 }]);
    await produce(transport, 'heard', ['a']);
  }
  mute.close();
});

it('a topic that takes less than it did: what fits travels in smaller batches', async () => {
  const { transport } = await open();
  await transport.ensureTopics(['whole', 'narrow'].map((name) => ({ name, partitions: 1 })));
  await produce(transport, 'narrow', ['a']);
  await asAdmin((admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        { type: kafkajs.ConfigResourceTypes.TOPIC, name: 'narrow', configEntries: [{ name: 'max.message.bytes', value: '3000' }] },
      ],
    }),
  );
  const taken = new Collector(
    transport.consume({ topics: ['whole'], group: 'narrow', credits: { count: 100, bytes: 1_000_000 } }),
    (delivery) => {
      delivery.carry({ kind: 'produce', record: { topic: 'narrow', key: null, value: delivery.value.value } });
      delivery.settle('delivered');
    },
  );
  collectors.push(taken);
  const values = numbered('', 20).map((value) => value.padEnd(400));
  await produce(transport, 'whole', values);
  await empty(transport, 'narrow', 'whole', 10_000);
  const written: string[] = [];
  for await (const { value } of transport.read('narrow', 0)) written.push(value!.toString());
  expect(written).toEqual(['a', ...values]);
});

it('brokers that hang hold up the end for seconds, not for as long as a record may wait: what was settled and is not known to be written is released', async () => {
  const { transport, warnings } = await open();
  await transport.ensureTopics(['hung', 'hung.out'].map((name) => ({ name, partitions: 1 })));
  const doors: string[] = [];
  const work = (collected: Collector) => {
    for (const delivery of collected.deliveries) {
      delivery.whenSettled((outcome) => doors.push(outcome));
      delivery.carry({ kind: 'produce', record: { topic: 'hung.out', key: null, value: delivery.value.value } });
      delivery.settle('delivered');
    }
  };
  const taken = take(transport, { topics: ['hung'], group: 'hung' }, true);
  await produce(transport, 'hung', numbered('a', 3));
  await taken.has(3);
  broker.node(1).freeze(true);
  try {
    work(taken);
    const before = Date.now();
    await transport.close();
    expect(Date.now() - before).toBeLessThan(45_000);
    expect(doors).toEqual(['released', 'released', 'released']);
    expect(warnings.join()).toMatch(/did not take what was settled/);
  } finally {
    broker.node(1).freeze(false);
  }
  const other = await open();
  const again = take(other.transport, { topics: ['hung'], group: 'hung' });
  await until('what was released', () => again.deliveries.length === 3, 30_000);
});
