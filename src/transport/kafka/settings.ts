/** How a client proves who it is. */
export type KafkaSasl =
  | { readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; readonly username: string; readonly password: string }
  /** Asked for a token at each connection and before the last one runs out. */
  | { readonly mechanism: 'oauthbearer'; readonly token: () => Promise<string> };

export interface KafkaTls {
  /** PEM of the authority to trust; the system's own when nothing is said. */
  readonly ca?: string;
  /** PEM of a client certificate and its key, for brokers that ask for one. */
  readonly cert?: string;
  readonly key?: string;
  /** The name to expect in the broker's certificate, where it is not the host's. */
  readonly servername?: string;
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** `event_hubs`: Azure Event Hubs, which wants longer sessions, smaller requests and fresh connections. */
export type KafkaProfile = 'kafka' | 'event_hubs';

export interface KafkaOptions {
  /** `host:port` of one broker or more; the others are learned from them. */
  readonly brokers: readonly string[];
  /** What the brokers' logs call this process. Defaults to `penstock`. */
  readonly clientId?: string;
  readonly tls?: boolean | KafkaTls;
  readonly sasl?: KafkaSasl;
  readonly profile?: KafkaProfile;
  /** How records are packed. Defaults to `none`; `gzip` is built in, the others want their optional package. */
  readonly compression?: Compression;
  /** Replicas of topics that are made here; the brokers' own default when nothing is said. */
  readonly replication?: number;
  /** Makes a topic that is written and not there, with the brokers' own defaults. Defaults to true. */
  readonly createTopics?: boolean;
  /** How long a member may be silent before its partitions go to others, in milliseconds. Defaults to 10 000. */
  readonly sessionTimeoutMs?: number;
  readonly heartbeatMs?: number;
  /** How old what is known of topics and leaders may grow, in milliseconds. Defaults to 15 000. */
  readonly metadataMaxAgeMs?: number;
  /** The longest an empty fetch waits at the broker, in milliseconds: also how late a paused partition may wake. Defaults to 250. */
  readonly fetchWaitMs?: number;
  /** The most bytes of one partition in one fetch. Defaults to 256 KiB. */
  readonly fetchBytes?: number;
  /** The most of a partition that is read ahead of credits. Defaults to 1000 records and 512 KiB. */
  readonly readAhead?: { readonly records: number; readonly bytes: number };
  /** How long a record may wait for the brokers to take it, in milliseconds. Defaults to 120 000. */
  readonly deliveryTimeoutMs?: number;
  /** How long a released record waits before it is handed out again, in milliseconds. Defaults to 1000. */
  readonly releaseMs?: number;
  /** Pause between two tries of a write that failed, in milliseconds. Defaults to 250. */
  readonly retryMs?: number;
  /** A partition that has records, is not held by us and gives nothing for so long is stalled, in milliseconds. Defaults to 15 s more than the session. */
  readonly stallMs?: number;
  /** How long the brokers keep dedupe marks at least, in milliseconds. Defaults to seven days. */
  readonly markRetentionMs?: number;
  /** How long `openKafka` looks for a broker, in milliseconds. Defaults to 900 for a connection, and ten times that for its greeting. */
  readonly connectMs?: number;
  /** Hears of what went wrong and was mended. Defaults to a process warning. */
  readonly onWarning?: (error: Error) => void;
}

/** All options with their defaults. */
export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls: boolean | KafkaTls;
  readonly sasl: KafkaSasl | undefined;
  readonly compression: Compression;
  readonly replication: number | undefined;
  readonly createTopics: boolean;
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly metadataMaxAgeMs: number;
  readonly fetchWaitMs: number;
  readonly fetchBytes: number;
  readonly readAhead: { readonly records: number; readonly bytes: number };
  /** The most bytes of records in one request. */
  readonly batchBytes: number;
  readonly deliveryTimeoutMs: number;
  readonly releaseMs: number;
  readonly retryMs: number;
  readonly stallMs: number;
  readonly markRetentionMs: number;
  readonly connectMs: number;
  readonly onWarning: (error: Error) => void;
}

const KAFKA = { sessionTimeoutMs: 10_000, heartbeatMs: 1000, requestTimeoutMs: 30_000, metadataMaxAgeMs: 15_000, batchBytes: 900_000 };

/** Its own advice: sessions of 30 s and more, requests of 60 s, below 1 046 528 bytes, and never silent for 240 s. */
const EVENT_HUBS = {
  sessionTimeoutMs: 30_000,
  heartbeatMs: 3000,
  requestTimeoutMs: 60_000,
  metadataMaxAgeMs: 180_000,
  batchBytes: 800_000,
};

export function settingsOf(options: KafkaOptions): KafkaSettings {
  const base = options.profile === 'event_hubs' ? EVENT_HUBS : KAFKA;
  const sessionTimeoutMs = options.sessionTimeoutMs ?? base.sessionTimeoutMs;
  return {
    brokers: options.brokers,
    clientId: options.clientId ?? 'penstock',
    tls: options.tls ?? options.profile === 'event_hubs',
    sasl: options.sasl,
    compression: options.compression ?? 'none',
    replication: options.replication,
    createTopics: options.createTopics ?? true,
    sessionTimeoutMs,
    heartbeatMs: options.heartbeatMs ?? base.heartbeatMs,
    rebalanceTimeoutMs: Math.max(60_000, sessionTimeoutMs),
    requestTimeoutMs: base.requestTimeoutMs,
    metadataMaxAgeMs: options.metadataMaxAgeMs ?? base.metadataMaxAgeMs,
    fetchWaitMs: options.fetchWaitMs ?? 250,
    fetchBytes: options.fetchBytes ?? 256 * 1024,
    readAhead: options.readAhead ?? { records: 1000, bytes: 512 * 1024 },
    batchBytes: base.batchBytes,
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 120_000,
    releaseMs: options.releaseMs ?? 1000,
    retryMs: options.retryMs ?? 250,
    stallMs: options.stallMs ?? sessionTimeoutMs + 15_000,
    markRetentionMs: options.markRetentionMs ?? 7 * 24 * 3_600_000,
    connectMs: options.connectMs ?? 900,
    onWarning: options.onWarning ?? ((error) => process.emitWarning(error)),
  };
}
