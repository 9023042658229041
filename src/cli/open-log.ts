import { readFile } from 'node:fs/promises';
import { type KafkaConfig, type PipelineConfig, topicSettings } from '../config/index.js';
import { PenstockError } from '../diagnostics/index.js';
import { connectionHosts, createAccessTokens, createFetch } from '../http/index.js';
import { openEmbedded } from '../transport/embedded/index.js';
import type { KafkaOptions, KafkaSasl, KafkaTls } from '../transport/kafka/index.js';
import type { TopicSpec, Transport } from '../transport/transport.js';
import type { DataDirectory } from './data-directory.js';

/** The log of an installation: on Kafka where brokers are named, else the embedded one in the data directory. */
export async function openLog(config: PipelineConfig, data: DataDirectory, onWarning?: (error: Error) => void): Promise<Transport> {
  const warning = onWarning === undefined ? {} : { onWarning };
  if (config.brokers.length === 0) return openEmbedded({ directory: data.log, ...warning });
  // Loaded when it is needed: most commands on one machine never are.
  const { openKafka } = await import('../transport/kafka/index.js');
  return openKafka({ ...(await kafkaOptions(config)), ...warning });
}

/** The log of an installation as people are told of it. */
export function logName({ brokers }: Pick<PipelineConfig, 'brokers'>, { root }: Pick<DataDirectory, 'root'>): string {
  return brokers.length > 0 ? `Kafka at ${brokers.join(', ')}` : `embedded, in ${root}`;
}

/** What the configuration says of the brokers, with the files that it names. */
export async function kafkaOptions(config: PipelineConfig): Promise<KafkaOptions> {
  const { clientId, profile, compression, replication, createTopics, sessionTimeoutMs, deliveryTimeoutMs } = config.kafka;
  const [tls, sasl] = [await tlsOf(config.kafka), saslOf(config)];
  return {
    brokers: config.brokers,
    clientId,
    profile,
    compression,
    createTopics,
    deliveryTimeoutMs,
    ...(replication === undefined ? {} : { replication }),
    ...(sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs }),
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

async function tlsOf({ tls: { enabled, ca, cert, key, servername } }: KafkaConfig): Promise<boolean | KafkaTls | undefined> {
  if (enabled === false) return false;
  const given: KafkaTls = {
    ...(ca === undefined ? {} : { ca: await pem(ca) }),
    ...(cert === undefined ? {} : { cert: await pem(cert) }),
    ...(key === undefined ? {} : { key: await pem(key) }),
    ...(servername === undefined ? {} : { servername }),
  };
  return Object.keys(given).length > 0 ? given : enabled;
}

async function pem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new PenstockError('PS1002', `the certificate file ${path} cannot be read`, { category: 'permanent', cause });
  }
}

function saslOf({ kafka: { sasl }, connections, production }: PipelineConfig): KafkaSasl | undefined {
  if (sasl.mechanism === 'none') return undefined;
  if (sasl.mechanism !== 'oauthbearer') {
    return { mechanism: sasl.mechanism, username: sasl.username ?? '', password: sasl.password ?? '' };
  }
  const connection = connections[sasl.connection ?? ''];
  if (connection?.oauth2 === undefined) {
    throw new PenstockError('PS1101', `kafka.sasl.connection names "${sasl.connection}", and no connection of that name has oauth2`, {
      category: 'permanent',
    });
  }
  const fetch = createFetch({ trustedHosts: connectionHosts(connections), production });
  const tokens = createAccessTokens({ fetch, now: () => Date.now() });
  return { mechanism: 'oauthbearer', token: () => tokens.get(connection) };
}

const NAMED_TOPICS = 5;

/** Makes the topics that a command needs, or says which are not there where none is to be made. */
export async function prepareTopics(
  transport: Pick<Transport, 'topics' | 'ensureTopics'>,
  { brokers, kafka }: Pick<PipelineConfig, 'brokers' | 'kafka'>,
  specs: readonly TopicSpec[],
): Promise<void> {
  if (brokers.length === 0 || kafka.createTopics) return transport.ensureTopics(specs);
  const there = new Set((await transport.topics()).map(({ name }) => name));
  const missing = specs.map(({ name }) => name).filter((name) => !there.has(name));
  if (missing.length === 0) return;
  const more = missing.length > NAMED_TOPICS ? ` and ${missing.length - NAMED_TOPICS} more` : '';
  throw new PenstockError(
    'PS3008',
    `kafka.create_topics is false, and there is no topic ${missing.slice(0, NAMED_TOPICS).join(', ')}${more}`,
    {
      category: 'permanent',
      help: 'penstock topics plan lists what is missing; make it, or let penstock topics apply do it, which needs the right to create',
    },
  );
}

/** A topic as the configuration wants it to be made. */
export function topicSpec(config: PipelineConfig, domain: string, name: string, kind: 'work' | 'retry' | 'deadLetter'): TopicSpec {
  const { partitions, retentionMs } = topicSettings(config.perDomain[domain]!.topics, name, kind);
  return retentionMs === undefined ? { name, partitions } : { name, partitions, retentionMs };
}
