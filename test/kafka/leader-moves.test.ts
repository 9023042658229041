import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { LogRecord, Transport } from '../../src/transport/transport.js';
import { Broker } from '../broker/broker.js';
import { Collector, until } from '../transport/collector.js';
import { drawing, pause, seedOfRun, tell, times } from './scale.js';
import { QUICK } from './subject.js';

const PARTITIONS = 6;
const CALLERS = 3;

let broker: Broker;

beforeAll(async () => {
  broker = await Broker.start({ nodes: 3 });
});

afterAll(() => broker?.stop());

/** Moves leaders at random places while `work` goes on. */
async function whileLeadersMove(topic: string, moves: number, draw: () => number, work: (over: () => boolean) => Promise<void>) {
  let over = false;
  const working = work(() => over);
  for (let move = 0; move < moves; move += 1) {
    await broker.moveLeader(topic, Math.floor(draw() * PARTITIONS));
    await pause(150 + draw() * 200);
  }
  over = true;
  await working;
}

async function everythingIn(transport: Transport, topic: string): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    for await (const record of transport.read(topic, partition)) records.push(record);
  }
  return records;
}

function compare(acknowledged: readonly string[], records: readonly LogRecord[]) {
  const counts = new Map<string, number>();
  for (const { value } of records) counts.set(value!.toString(), (counts.get(value!.toString()) ?? 0) + 1);
  let disorder = 0;
  const last = new Map<string, number>();
  for (const { key, value } of records) {
    const number = Number(value!.toString().split(':')[1]);
    if (number < (last.get(key!.toString()) ?? -1)) disorder += 1;
    last.set(key!.toString(), number);
  }
  return {
    lost: acknowledged.filter((value) => !counts.has(value)).length,
    twice: [...counts.values()].filter((count) => count > 1).length,
    disorder,
  };
}

it('L2: leaders move while producing and consuming: what is acknowledged is in the log, once and in order per key, and nothing waits unread', async () => {
  const draw = drawing(seedOfRun());
  const moves = times(10, 40);
  const transport = await openKafka({ ...QUICK, metadataMaxAgeMs: 5000, brokers: broker.brokers });
  const topic = 'moving';
  await transport.ensureTopics([{ name: topic, partitions: PARTITIONS }]);
  const acknowledged: string[] = [];
  const seen = new Map<string, number>();
  let longestUnread = 0;
  const collector = new Collector(
    transport.consume({ topics: [topic], group: 'moving', credits: { count: 500, bytes: 1_000_000 } }),
    (delivery) => {
      seen.set(delivery.value.value!.toString(), (seen.get(delivery.value.value!.toString()) ?? 0) + 1);
      longestUnread = Math.max(longestUnread, Date.now() - delivery.value.timestamp);
      delivery.settle('delivered');
    },
  );
  await until('the assignment', () => collector.consumer.state().assigned.length === PARTITIONS, 30_000);
  await whileLeadersMove(topic, moves, draw, async (over) => {
    const caller = async (id: number): Promise<void> => {
      for (let number = 0; !over(); number += 1) {
        // Keys of this caller's own, so that their order is known.
        const records = Array.from({ length: 12 }, (_, key) => ({ topic, key: `${id}-${key}`, value: `${id}-${key}:${number}` }));
        await transport.produce(records);
        acknowledged.push(...records.map(({ value }) => value));
        await pause(5);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
  });
  await until('everything to be read', () => acknowledged.every((value) => seen.has(value)), 60_000);
  const found = compare(acknowledged, await everythingIn(transport, topic));
  const read = { seenTwice: [...seen.values()].filter((count) => count > 1).length, longestUnreadMs: longestUnread };
  tell('leaders move while producing and consuming', `${moves} moves`, { acknowledged: acknowledged.length, ...found, ...read });
  expect(found).toEqual({ lost: 0, twice: 0, disorder: 0 });
  expect(longestUnread).toBeLessThan(30_000);
  expect(acknowledged.length).toBeGreaterThan(moves * 30);
  collector.unsubscribe();
  await transport.close();
});

it('the negative control: the bare client, idempotent or not, loses acknowledged records in the same moves', async () => {
  const draw = drawing(seedOfRun());
  const moves = times(10, 40);
  const transport = await openKafka({ ...QUICK, brokers: broker.brokers });
  const kafka = new Kafka({
    brokers: [...broker.brokers],
    logLevel: logLevel.NOTHING,
    retry: { retries: 20, initialRetryTime: 100, maxRetryTime: 2000 },
  });
  const lost: Record<string, number> = {};
  for (const idempotent of [false, true]) {
    const topic = `control.${idempotent ? 'idempotent' : 'plain'}`;
    await transport.ensureTopics([{ name: topic, partitions: PARTITIONS }]);
    const producer = kafka.producer({
      idempotent,
      maxInFlightRequests: 1,
      retry: { retries: 20, initialRetryTime: 100, maxRetryTime: 2000 },
    });
    await producer.connect();
    const acknowledged: string[] = [];
    await whileLeadersMove(topic, moves, draw, async (over) => {
      const caller = async (id: number): Promise<void> => {
        for (let number = 0; !over(); number += 1) {
          const messages = Array.from({ length: 12 }, (_, key) => ({
            key: `${id}-${key}`,
            value: `${id}-${key}:${number}`,
            partition: key % PARTITIONS,
          }));
          await producer.send({ topic, messages, acks: -1 });
          acknowledged.push(...messages.map(({ value }) => value));
          await pause(5);
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
    });
    await producer.disconnect();
    const found = compare(acknowledged, await everythingIn(transport, topic));
    tell(`the same with the bare client, ${idempotent ? 'idempotent' : 'plain'}`, `${moves} moves`, {
      acknowledged: acknowledged.length,
      ...found,
    });
    lost[topic] = found.lost;
  }
  expect(lost['control.plain']).toBeGreaterThan(0);
  expect(lost['control.idempotent']).toBeGreaterThan(0);
  await transport.close();
});
