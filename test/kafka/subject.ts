import type { KafkaOptions } from '../../src/transport/kafka/index.js';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { Subject } from '../../src/testing/contract/index.js';
import type { Broker } from '../broker/broker.js';

/** Settings that make the suites quick: groups settle soon, and what is known of topics is fresh. */
export const QUICK: Omit<KafkaOptions, 'brokers'> = {
  sessionTimeoutMs: 6000,
  heartbeatMs: 300,
  metadataMaxAgeMs: 1000,
  fetchWaitMs: 100,
  onWarning: () => undefined,
};

/** The log on a broker that goes on living after the test. */
export async function kafkaSubject(broker: Broker): Promise<Subject> {
  const open = () => openKafka({ ...QUICK, brokers: broker.brokers });
  const transport = await open();
  return { transport, again: open, dispose: () => transport.close() };
}
