import type { Transport } from '../transport.js';
import { toPenstock } from './failure.js';
import { KafkaTransport } from './kafka-transport.js';
import { preflight } from './preflight.js';
import { type KafkaOptions, settingsOf } from './settings.js';
import { stillQueues } from './still-queue.js';
import { within } from './within.js';
import { PenstockError } from '../../diagnostics/index.js';

export type { Compression, KafkaOptions, KafkaProfile, KafkaSasl, KafkaTls } from './settings.js';

/**
 * Opens the log on Apache Kafka, and whatever speaks its protocol. Rejects within a second with PS3001 and what is wrong with each address when no broker
 * answers, and with PS3007 when one refuses the credentials or its certificate cannot be trusted.
 *
 * What is settled becomes durable in this order: the records it carries, its marks, the offset. So it is at least once: a process that is killed between
 * two of them repeats what was not finished.
 */
export async function openKafka(options: KafkaOptions): Promise<Transport> {
  stillQueues();
  const settings = settingsOf(options);
  await preflight(settings.brokers, settings.connectMs);
  const transport = new KafkaTransport(settings);
  try {
    const { brokers, connectMs } = settings;
    const greeted = await transport.greet(brokers.length, (connectMs * 10) / brokers.length);
    if (!greeted)
      throw new PenstockError('PS3001', `${brokers.join(', ')} accept connections and do not answer`, { category: 'transient' });
    return transport;
  } catch (error) {
    // Whoever does not answer does not answer a farewell either.
    await within(transport.close(), 500);
    throw toPenstock(error, `the brokers ${settings.brokers.join(', ')} cannot be used`);
  }
}
