/** A pipeline as understood: every key has its value, durations are milliseconds, sizes are bytes. `config.reference` documents the YAML keys. */
export interface PipelineConfig {
  /** Absolute path of the pipeline file. */
  readonly file: string;
  /** What the environment calls itself; empty when nothing says. */
  readonly environment: string;
  /** Whether that means production: switches for development are refused then. */
  readonly production: boolean;
  /** Kafka brokers; none means the embedded log. */
  readonly brokers: readonly string[];
  /** How the brokers are spoken to. */
  readonly kafka: KafkaConfig;
  /** The domains that run here. */
  readonly domains: readonly string[];
  /** Settings of every known domain, run here or not. */
  readonly perDomain: Readonly<Record<string, DomainConfig>>;
  /** Plugins of all domains. */
  readonly plugins: PluginsConfig;
  /** Old dotted module names and what stands for them; the longest prefix wins. */
  readonly moduleAliases: Readonly<Record<string, string>>;
  /** Named HTTP services by their key in the connections file. */
  readonly connections: Readonly<Record<string, ConnectionConfig>>;
  readonly http: HttpConfig;
  readonly tables: TablesConfig;
  readonly actions: ActionsConfig;
  readonly log: { readonly level: LogLevel };
  readonly api: { readonly enabled: boolean; readonly host: string; readonly port: number };
  /** How long a drain may take before what is left is named and released. */
  readonly drainTimeoutMs: number;
}

export const KAFKA_PROFILES = ['kafka', 'event_hubs'] as const;
export const KAFKA_COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export const SASL_MECHANISMS = ['none', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const;

/** `sasl.password` is a secret: never log it. */
export interface KafkaConfig {
  readonly clientId: string;
  readonly profile: (typeof KAFKA_PROFILES)[number];
  readonly tls: {
    /** Undefined means what the profile does. */
    readonly enabled: boolean | undefined;
    /** Absolute paths of PEM files. */
    readonly ca: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
    readonly servername: string | undefined;
  };
  readonly sasl: {
    readonly mechanism: (typeof SASL_MECHANISMS)[number];
    readonly username: string | undefined;
    readonly password: string | undefined;
    /** The connection whose token service gives tokens, for `oauthbearer`. */
    readonly connection: string | undefined;
  };
  readonly compression: (typeof KAFKA_COMPRESSIONS)[number];
  /** Replicas of new topics; undefined means the brokers' default. */
  readonly replication: number | undefined;
  /** Whether topics that are written and not there are made. */
  readonly createTopics: boolean;
  /** Undefined means what the profile does. */
  readonly sessionTimeoutMs: number | undefined;
  readonly deliveryTimeoutMs: number;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface PluginsConfig {
  readonly enabled: boolean;
  /** Absolute path of the plugins file or directory; none when there is none. */
  readonly path: string | undefined;
}

export interface DomainConfig {
  readonly name: string;
  readonly plugins: PluginsConfig;
  readonly topics: TopicsConfig;
  /** One retry for each delay. */
  readonly retryDelaysMs: readonly number[];
  /** A retry waits its delay and up to this share of it more. */
  readonly retryJitter: number;
  /** An entry for every worker of the domain. */
  readonly workers: Readonly<Record<string, WorkerConfig>>;
  readonly dedupe: { readonly windowMs: number; readonly capacity: number };
  readonly deltaEvents: { readonly runEventIngestPlugins: boolean };
}

export interface TopicSettings {
  readonly partitions: number;
  /** None means for ever. */
  readonly retentionMs: number | undefined;
}

export interface TopicsConfig {
  /** Topics between workers. */
  readonly work: TopicSettings;
  /** Topics of the retry delays. */
  readonly retry: TopicSettings;
  /** The dead-letter topic. */
  readonly deadLetter: TopicSettings;
  /** Settings of single topics by their full name. */
  readonly named: Readonly<Record<string, TopicSettings>>;
}

export interface WorkerConfig {
  /** The most messages handled at once, of a worker whose own step is waited for. */
  readonly concurrency: number | undefined;
  /** The most messages taken and unsettled at once. */
  readonly credits: number;
  /** The most bytes of such messages. */
  readonly maxInFlightBytes: number;
  /** Of a worker that keeps the order of a key across retries. */
  readonly retryOrder: RetryOrderConfig | undefined;
}

export const RETRY_ORDERS = ['none', 'key'] as const;

export interface RetryOrderConfig {
  /** How long a message waits in place behind one that is retried; none where it goes to the retry topic at once. */
  readonly waitMs?: number;
  /** The most messages of one key that do. */
  readonly maxWaiting?: number;
  /** How long after it was due a retried message is waited for. */
  readonly giveUpMs: number;
}

export interface HttpConfig {
  /** Hosts that files may come from; none means the built-in list. */
  readonly allowedHosts: readonly string[] | undefined;
  /** Hosts that are reached at a fixed address, over plain HTTP: for simulators. */
  readonly resolve: Readonly<Record<string, { readonly address: string; readonly port: number }>>;
  readonly maxBytes: number;
  readonly idleTimeoutMs: number;
  readonly minBytesPerSecond: number;
  readonly connectTimeoutMs: number;
  readonly maxRedirects: number;
  /** Of one host: while it is open, downloads from there wait. */
  readonly breaker: { readonly failureThreshold: number; readonly successThreshold: number; readonly openMs: number };
  readonly allowLocalhost: boolean;
}

export interface TablesConfig {
  readonly flushMs: number;
  /** A flush happens at the latest when so many rows wait. */
  readonly rows: number;
  /** Or so many bytes. */
  readonly maxBytes: number;
  /** A checkpoint is written every so many commits. */
  readonly checkpointEvery: number;
  /** Absolute path; none means `tables/` in the data directory. */
  readonly directory: string | undefined;
}

export interface ActionsConfig {
  readonly webhookTimeoutMs: number;
  /** Attempts in total, the first included. */
  readonly attempts: number;
  readonly backoff: { readonly baseMs: number; readonly capMs: number };
  readonly breaker: { readonly failureThreshold: number; readonly successThreshold: number; readonly openMs: number };
  /** The most actions of one worker that are out at once. */
  readonly concurrency: number;
  /** Webhooks are recorded, not sent. */
  readonly capture: boolean;
}

export const AUTH_TYPES = ['none', 'bearer', 'basic', 'api_key', 'oauth2'] as const;
export type AuthType = (typeof AUTH_TYPES)[number];

export const HTTP_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/** One named HTTP service. `authToken` and `clientCredential` are secrets: never log them. */
export interface ConnectionConfig {
  readonly name: string;
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly authType: AuthType;
  readonly authToken: string | undefined;
  /** The header that carries the token, where it is not the usual one. */
  readonly authHeader: string | undefined;
  readonly timeoutMs: number;
  /** Attempts in total, the first included. */
  readonly maxRetries: number;
  readonly retryBackoffBaseMs: number;
  readonly retryBackoffCapMs: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The path that a call without one goes to. */
  readonly endpoint: string | undefined;
  readonly method: HttpMethod;
  readonly oauth2: OAuth2Config | undefined;
}

export interface OAuth2Config {
  readonly grantType: 'client_credentials';
  readonly clientId: string;
  readonly clientCredential: string;
  readonly tokenUrl: string;
  readonly scope: string | undefined;
}

/** The settings of one topic: those of its full name, else those of its kind. */
export function topicSettings(topics: TopicsConfig, name: string, kind: 'work' | 'retry' | 'deadLetter' = 'work'): TopicSettings {
  return topics.named[name] ?? topics[kind];
}
