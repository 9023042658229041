import type { AdminConfig, Kafka, KafkaConfig, SASLOptions } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { KafkaSasl, KafkaSettings, KafkaTls } from './settings.js';

const { logLevel } = kafkajs;

/** How the client tries again by itself before it tells us. */
export const RETRY: NonNullable<AdminConfig['retry']> = { retries: 6, initialRetryTime: 100, maxRetryTime: 1000 };

/** The client's configuration. What it would print is told by our own faults and warnings. */
export function clientConfig(settings: KafkaSettings, seeds = new Seeds(settings.brokers)): KafkaConfig {
  const { clientId, tls, sasl, requestTimeoutMs } = settings;
  return {
    brokers: () => seeds.all,
    clientId,
    ...(tls === false ? {} : { ssl: tls === true ? true : tlsOf(tls) }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    connectionTimeout: 5000,
    authenticationTimeout: 10_000,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: RETRY,
    logLevel: logLevel.WARN,
    logCreator: () => () => undefined,
  };
}

/**
 * Whom a client asks first who the brokers are. One that accepts connections and never answers would hold up all that begins, each time for as long as a
 * request may last: when asking has failed, whoever begins next asks another one first.
 */
export class Seeds {
  private first = 0;

  constructor(private readonly brokers: readonly string[]) {}

  get all(): string[] {
    return [...this.brokers.slice(this.first), ...this.brokers.slice(0, this.first)];
  }

  next(): void {
    this.first = (this.first + 1) % Math.max(1, this.brokers.length);
  }
}

export function createClient(settings: KafkaSettings, seeds: Seeds): Kafka {
  return new kafkajs.Kafka(clientConfig(settings, seeds));
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
