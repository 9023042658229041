import type { AdminConfig, Kafka, KafkaConfig, SASLOptions } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { KafkaSasl, KafkaSettings, KafkaTls } from './settings.js';

const { logLevel } = kafkajs;

/** How the client tries again by itself before it tells us. */
export const RETRY: NonNullable<AdminConfig['retry']> = { retries: 6, initialRetryTime: 100, maxRetryTime: 1000 };

/** The client's configuration; what it would print goes to `onLog`. */
export function clientConfig(settings: KafkaSettings, onLog: (message: string) => void = () => undefined): KafkaConfig {
  const { brokers, clientId, tls, sasl, requestTimeoutMs } = settings;
  return {
    brokers: [...brokers],
    clientId,
    ...(tls === false ? {} : { ssl: tls === true ? true : tlsOf(tls) }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    connectionTimeout: 5000,
    authenticationTimeout: 10_000,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: RETRY,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => onLog(`${entry.namespace}: ${entry.log.message}`),
  };
}

export function createClient(settings: KafkaSettings, onLog?: (message: string) => void): Kafka {
  return new kafkajs.Kafka(clientConfig(settings, onLog));
}

function tlsOf({ ca, cert, key, servername }: KafkaTls) {
  return {
    ...(ca === undefined ? {} : { ca: [ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  };
}

function saslOf(sasl: KafkaSasl): SASLOptions {
  if (sasl.mechanism === 'oauthbearer') {
    const { token } = sasl;
    return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await token() }) };
  }
  const { mechanism, username, password } = sasl;
  return { mechanism, username, password } as SASLOptions;
}
