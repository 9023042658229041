import { resolve } from 'node:path';
import { type Diagnostic, fit, type Path } from '../diagnostics/index.js';
import { type DomainShape, DOMAINS } from './domains.js';
import type { Environment } from './environment.js';
import { finding, missingVariable } from './findings.js';
import type {
  DomainConfig,
  HttpConfig,
  KafkaConfig,
  PipelineConfig,
  RETRY_ORDERS,
  RetryOrderConfig,
  TopicsConfig,
} from './pipeline-config.js';
import { pipelineSchema, type WrittenDomain, type WrittenPipeline } from './pipeline-schema.js';
import type { Reading, YamlFile } from './yaml-file.js';

export interface ReadPipelineOptions {
  /** Absolute path of the file. */
  readonly path: string;
  readonly env: Environment;
  readonly cwd: string;
  readonly domains?: readonly DomainShape[];
}

/** A pipeline file as far as it can be read without opening another. */
export interface ReadPipeline {
  readonly config: PipelineConfig;
  readonly written: WrittenPipeline;
  readonly reading: Reading;
  /** False when the file has errors: then only what it says of other files is read, so that these are checked as well. */
  readonly usable: boolean;
  readonly diagnostics: readonly Diagnostic[];
}

/** The module names of the old system. */
const BUILT_IN_ALIASES: Readonly<Record<string, string>> = { 'kafka_pipeline.plugins': 'penstock/plugins', plugins: 'penstock/plugins' };

/** A schema is made of some hundred parts: once is enough for one set of domains. */
const schemas = new WeakMap<readonly DomainShape[], ReturnType<typeof pipelineSchema>>();

function schemaFor(domains: readonly DomainShape[]): ReturnType<typeof pipelineSchema> {
  const known = schemas.get(domains);
  if (known !== undefined) return known;
  const made = pipelineSchema(domains);
  schemas.set(domains, made);
  return made;
}

/** Reads the settings of a pipeline file; paths of plugins and connections are filled in by whoever opens them. */
export function readPipeline(yaml: YamlFile, options: ReadPipelineOptions): ReadPipeline {
  const domains = options.domains ?? DOMAINS;
  const reading = yaml.read(options.env);
  const asked = reading.missing.filter(({ path }) => !isInlineEntry(path));
  const missing = asked.map((variable) => missingVariable(variable, variable.path.join('.')));
  const places = new Set(asked.map(({ path }) => yaml.place(path)).map(({ line, column }) => `${line}:${column}`));
  const schema = schemaFor(domains);
  const fitted = fit(schema, reading.value ?? {}, {
    locate: (path, part) => yaml.place(path, part),
    textOf: (path) => reading.textOf(path),
  });
  const found = [...missing, ...fitted.diagnostics.filter(({ line, column }) => !places.has(`${line}:${column}`))];
  const value = fitted.value ?? salvaged(schema, reading.value, domains);
  const production = isProduction(value.environment, options.env);
  const { http, refused } = readHttp(value, production, yaml);
  const config: PipelineConfig = {
    file: options.path,
    environment: value.environment || (options.env['ENVIRONMENT'] ?? ''),
    production,
    brokers: value.kafka.brokers,
    kafka: readKafka(value.kafka, options.cwd),
    domains: value.domains,
    perDomain: Object.fromEntries(domains.map((domain) => [domain.name, readDomain(domain, value)])),
    plugins: { enabled: Array.isArray(value.plugins) || value.plugins?.enabled !== false, path: undefined },
    moduleAliases: { ...BUILT_IN_ALIASES, ...value.module_aliases },
    connections: {},
    http,
    tables: {
      flushMs: value.tables.flush,
      rows: value.tables.rows,
      maxBytes: value.tables.max_bytes,
      checkpointEvery: value.tables.checkpoint_every,
      directory: value.tables.directory === undefined ? undefined : resolve(options.cwd, value.tables.directory),
    },
    actions: {
      webhookTimeoutMs: value.actions.webhook_timeout,
      attempts: value.actions.attempts,
      backoff: { baseMs: value.actions.backoff.base, capMs: value.actions.backoff.cap },
      breaker: {
        failureThreshold: value.actions.breaker.failures,
        successThreshold: value.actions.breaker.successes,
        openMs: value.actions.breaker.open,
      },
      concurrency: value.actions.concurrency,
      capture: value.actions.capture,
    },
    log: value.log,
    api: value.api,
    drainTimeoutMs: value.drain_timeout,
  };
  return { config, written: value, reading, usable: fitted.value !== undefined, diagnostics: [...found, ...refused] };
}

/** Of a file with errors, what can still be understood of where its other files are. */
function salvaged(schema: ReturnType<typeof pipelineSchema>, value: unknown, domains: readonly DomainShape[]): WrittenPipeline {
  const sections: Path[] = [
    ['domains'],
    ['module_aliases'],
    ['plugins'],
    ['connections'],
    ...domains.map(({ name }) => ['kafka', name, 'plugins']),
  ];
  let kept: unknown = {};
  for (const path of sections) {
    const more = graft(kept, value, path);
    if (schema.safeParse(more).success) kept = more;
  }
  return schema.parse(kept);
}

/** A copy of a map with the value at a path taken over from another. */
function graft(onto: unknown, from: unknown, [step, ...rest]: Path): unknown {
  if (step === undefined) return from;
  const below = isRecord(from) ? from[step] : undefined;
  if (below === undefined || below === null) return onto;
  const map = isRecord(onto) ? onto : {};
  return { ...map, [step]: graft(map[step], below, rest) };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Plugin entries inside the pipeline file are read one by one later, when it is known whether they run here. */
export function isInlineEntry(path: Path): boolean {
  const rest = path[0] === 'kafka' ? path.slice(2) : path;
  if (rest[0] !== 'plugins') return false;
  return typeof rest[1] === 'number' || (typeof rest[2] === 'number' && (rest[1] === 'plugins' || rest[1] === 'task_triggers'));
}

const PRODUCTION = /production|prod|live/i;

/** Any of the usual variables, or the file itself, may say so. */
export function isProduction(environment: string, env: Environment): boolean {
  return [environment, env['ENVIRONMENT'], env['DEPLOYMENT_ENV'], env['APP_ENV']].some(
    (name) => name !== undefined && PRODUCTION.test(name),
  );
}

/** What the pipeline file says of a domain. */
export function writtenDomain(written: WrittenPipeline, name: string): WrittenDomain {
  return (written.kafka as unknown as Readonly<Record<string, WrittenDomain>>)[name]!;
}

function readKafka(written: WrittenPipeline['kafka'], cwd: string): KafkaConfig {
  const { tls, sasl } = written;
  const path = (name: string | undefined) => (name === undefined ? undefined : resolve(cwd, name));
  return {
    clientId: written.client_id,
    profile: written.profile,
    tls: { enabled: tls.enabled, ca: path(tls.ca), cert: path(tls.cert), key: path(tls.key), servername: tls.servername },
    sasl: { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password, connection: sasl.connection },
    compression: written.compression,
    replication: written.replication,
    createTopics: written.create_topics,
    sessionTimeoutMs: written.session_timeout,
    deliveryTimeoutMs: written.delivery_timeout,
  };
}

function readDomain(domain: DomainShape, value: WrittenPipeline): DomainConfig {
  const written = writtenDomain(value, domain.name);
  const { topics } = written;
  const work = { partitions: topics.work.partitions, retentionMs: topics.work.retention };
  const read: TopicsConfig = {
    work,
    retry: { partitions: topics.retry.partitions, retentionMs: topics.retry.retention },
    deadLetter: { partitions: topics.dead_letter.partitions, retentionMs: topics.dead_letter.retention },
    named: Object.fromEntries(
      Object.entries(topics.named).map(([name, { partitions, retention }]) => [
        name,
        { partitions: partitions ?? work.partitions, retentionMs: retention ?? work.retentionMs },
      ]),
    ),
  };
  return {
    name: domain.name,
    plugins: { enabled: Array.isArray(written.plugins) || written.plugins?.enabled !== false, path: undefined },
    topics: read,
    retryDelaysMs: written.retry_delays,
    retryJitter: written.retry_jitter,
    workers: Object.fromEntries(
      Object.entries(written.workers).map(([name, worker]) => [
        name,
        {
          concurrency: concurrencyOf(worker),
          credits: worker.credits,
          maxInFlightBytes: worker.max_in_flight_bytes,
          retryOrder: retryOrderOf(worker),
        },
      ]),
    ),
    dedupe: { windowMs: written.dedupe.window, capacity: written.dedupe.capacity },
    deltaEvents: { runEventIngestPlugins: written.delta_events.run_event_ingest_plugins },
  };
}

/** Not every worker has one, and not every one waits in place. */
function retryOrderOf(worker: object): RetryOrderConfig | undefined {
  const { retry } = worker as { readonly retry?: WrittenRetry };
  if (retry?.order !== 'key') return undefined;
  const { wait, waiting, give_up: giveUpMs } = retry;
  return wait === undefined || waiting === undefined ? { giveUpMs } : { waitMs: wait, maxWaiting: waiting, giveUpMs };
}

interface WrittenRetry {
  readonly order: (typeof RETRY_ORDERS)[number];
  readonly wait?: number;
  readonly waiting?: number;
  readonly give_up: number;
}

/** Only some workers have one. */
function concurrencyOf(worker: { readonly credits: number; readonly concurrency?: number }): number | undefined {
  return worker.concurrency;
}

function readHttp(
  value: WrittenPipeline,
  production: boolean,
  yaml: YamlFile,
): { readonly http: HttpConfig; readonly refused: readonly Diagnostic[] } {
  const written = value.http;
  const refused: Diagnostic[] = [];
  const switches = [
    ...(Object.keys(written.resolve).length > 0 ? (['resolve'] as const) : []),
    ...(written.allow_localhost ? (['allow_localhost'] as const) : []),
  ];
  if (production)
    for (const key of switches) {
      const help = 'remove it, or set ENVIRONMENT to what this is';
      refused.push(finding('PS1302', 'error', yaml.place(['http', key], 'key'), `http.${key} is refused in production`, help));
    }
  const allowedHosts = written.allowed_hosts === undefined || written.allowed_hosts.length === 0 ? undefined : written.allowed_hosts;
  return {
    refused,
    http: {
      allowedHosts: allowedHosts?.map((host) => host.toLowerCase()),
      resolve: Object.fromEntries(Object.entries(written.resolve).map(([host, target]) => [host.toLowerCase(), target])),
      maxBytes: written.max_bytes,
      idleTimeoutMs: written.idle_timeout,
      minBytesPerSecond: written.min_bytes_per_second,
      connectTimeoutMs: written.connect_timeout,
      maxRedirects: written.max_redirects,
      breaker: {
        failureThreshold: written.breaker.failures,
        successThreshold: written.breaker.successes,
        openMs: written.breaker.open,
      },
      allowLocalhost: written.allow_localhost,
    },
  };
}
