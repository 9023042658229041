import { Kafka, logLevel } from 'kafkajs';
import { afterEach, expect, it } from 'vitest';
import { VERSIONS } from './artifacts.js';
import { Broker } from './broker.js';

const started: Broker[] = [];

afterEach(async () => {
  for (const broker of started.splice(0)) await broker.stop();
});

async function start(...args: Parameters<typeof Broker.start>): Promise<Broker> {
  const broker = await Broker.start(...args);
  started.push(broker);
  return broker;
}

function adminOf(broker: Broker) {
  return new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).admin();
}

it.each(VERSIONS)('starts one node of Kafka %s, which keeps its records when it is killed', async (version) => {
  const broker = await start({ version, set: { 'broker.session.timeout.ms': 3000, 'broker.heartbeat.interval.ms': 500 } });
  const admin = adminOf(broker);
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 2 }] });
  await admin.disconnect();
  await broker.node(1).kill();
  expect(broker.node(1).running).toBe(false);
  await broker.node(1).up();
  await admin.connect();
  expect(await admin.listTopics()).toContain('kept');
  await admin.disconnect();
});

it('starts three nodes and moves leaders among them', async () => {
  const broker = await start({ nodes: 3 });
  const admin = adminOf(broker);
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'moved', numPartitions: 1, replicationFactor: 3 }], waitForLeaders: false });
  const leaders = [];
  for (let move = 0; move < 3; move += 1) leaders.push(await broker.moveLeader('moved', 0));
  expect(new Set(leaders).size).toBe(3);
  await broker.node(leaders[0]!).term();
  await broker.node(leaders[0]!).up();
  expect((await admin.describeCluster()).brokers.length).toBe(3);
  await admin.disconnect();
});
