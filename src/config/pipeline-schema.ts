import { z } from 'zod';
import { DOMAINS, type DomainShape, type WorkerShape } from './domains.js';
import { KAFKA_COMPRESSIONS, KAFKA_PROFILES, LOG_LEVELS, RETRY_ORDERS, SASL_MECHANISMS } from './pipeline-config.js';
import { duration, parseDuration, size } from './quantities.js';
import { addressAndPort, count, textList } from './written.js';

const MOST = 1_000_000_000;

/** A section: unknown keys are errors, and a section that is not written has all its defaults. */
function section<S extends z.core.$ZodLooseShape>(title: string, about: string, shape: S) {
  return z
    .strictObject(shape)
    .meta({ title })
    .prefault({} as never)
    .describe(about);
}

const plugins = (where: string) => {
  const inline = z.array(z.unknown()).describe('Plugin entries, written here.');
  const form = z
    .strictObject({
      enabled: z.boolean().default(true).describe('Whether these plugins run at all.'),
      config_path: z.string().optional().describe('A file of plugins, or a directory with one sub-directory a plugin.'),
      plugins: inline.optional(),
      task_triggers: z.array(z.unknown()).optional().describe('Task triggers in their old form.'),
    })
    .meta({ title: 'plugins' });
  return z.union([form, inline]).optional().describe(`Plugins ${where}.`);
};

const topic = (title: string, about: string, partitions: number, retention: string) =>
  section(title, about, {
    partitions: count(1, 10_000).default(partitions).describe('Partitions that a new topic gets.'),
    retention: duration().prefault(retention).describe('How long records are kept.'),
  });

/** A key that has no meaning here, for a reason that is worth telling. */
const notOffered = (message: string, help: string) =>
  z
    .unknown()
    .optional()
    .superRefine((value, context) => {
      if (value !== undefined && value !== null) context.addIssue({ code: 'custom', message, params: { code: 'PS1103', help } });
    })
    .meta({ not: {}, 'x-kind': 'not offered' })
    .describe(`Not offered: ${message.slice(message.indexOf(': ') + 2)}.`);

const WRITES_IN_ORDER =
  'rows are written in the order of offsets, so a message behind one that is retried goes to the retry topic at once, or it would hold that one up';

/** What is said of retries of a worker, or why nothing is. */
const retrySection = ({ name, retryOrder }: WorkerShape, offering: readonly string[]) => {
  if ('none' in retryOrder) {
    const help = `leave it out; say it of ${offering.join(', ')}`;
    return notOffered(`${name} has no key "retry": ${retryOrder.none}`, help);
  }
  const inPlace = {
    wait: duration()
      .prefault('5s')
      .describe('How long a message waits in place before it goes to the retry topic behind the one it waits for.'),
    waiting: count(1, MOST).default(100).describe('The most messages of one key that wait in place.'),
  };
  const nowhere = (key: string) => notOffered(`${name}.retry has no key "${key}": ${WRITES_IN_ORDER}`, 'leave it out');
  return section(`${name}.retry`, 'What waits for a message that is retried.', {
    order: z
      .enum(RETRY_ORDERS)
      .default('none')
      .describe(
        `\`key\`: later messages of the same ${retryOrder.key} wait until it has left for good; \`none\`: they go on and may overtake it.`,
      ),
    ...(retryOrder.waits === 'in_place' ? inPlace : { wait: nowhere('wait'), waiting: nowhere('waiting') }),
    give_up: duration().prefault('1h').describe('How long after it was due a retried message is waited for; then those behind it go on.'),
  });
};

const workerSection = (worker: WorkerShape, offering: readonly string[]) => {
  const { name, about, credits, concurrency } = worker;
  const fields = {
    credits: count(1, MOST).default(credits).describe('The most messages taken and unsettled at once.'),
    max_in_flight_bytes: size().prefault('64MiB').describe('The most bytes of messages taken and unsettled at once.'),
    retry: retrySection(worker, offering),
  };
  if (concurrency === undefined) return section(name, about, fields);
  return section(name, about, {
    concurrency: count(1, 1000).default(concurrency).describe('The most messages handled at once.'),
    ...fields,
  });
};

/** Those whose order of keys may hold across retries. */
function offeringOrder({ workers }: DomainShape): readonly string[] {
  return workers.filter(({ retryOrder }) => 'key' in retryOrder).map(({ name }) => name);
}

const domainSection = (domain: DomainShape) =>
  section(`kafka.${domain.name}`, `Settings of the domain ${domain.name}.`, {
    plugins: plugins(`of ${domain.name} alone`),
    topics: section('topics', 'Partitions and retention of the topics that are made here.', {
      work: topic('topics.work', 'Topics between workers.', 6, '7d'),
      retry: topic('topics.retry', 'Topics of the retry delays.', 3, '7d'),
      dead_letter: topic('topics.dead_letter', 'The topic of dead letters.', 3, '30d'),
      named: z
        .record(
          z.string(),
          z
            .strictObject({
              partitions: count(1, 10_000).optional().describe('Partitions that the topic gets when it is new.'),
              retention: duration().optional().describe('How long its records are kept.'),
            })
            .meta({ title: 'a topic' }),
        )
        .default({})
        .describe('Settings of single topics by their full name.'),
    }),
    retry_delays: z
      .union([z.array(duration()), z.string()])
      .transform((value, context) => {
        if (typeof value !== 'string') return value;
        const parts = value
          .split(',')
          .filter((part) => part.trim() !== '')
          .map(parseDuration);
        if (!parts.includes(undefined)) return parts as number[];
        context.addIssue({
          code: 'custom',
          message: `must be durations with commas between, this is ${JSON.stringify(value)}`,
          params: { code: 'PS1105', help: 'write 5m,10m,20m,40m' },
        });
        return z.NEVER;
      })
      .refine(
        (value) => value.every((delay) => delay > 0) && new Set(value).size === value.length,
        'must have delays above zero, each different',
      )
      .prefault(['5m', '10m', '20m', '40m'])
      .describe('One retry for each delay; every delay has its own topic.'),
    retry_jitter: z.number().min(0).max(1).default(0.1).describe('A retry waits its delay and up to this share of it more.'),
    workers: section(
      'workers',
      'Settings of single workers.',
      Object.fromEntries(domain.workers.map((worker) => [worker.name, workerSection(worker, offeringOrder(domain))])),
    ),
    dedupe: section('dedupe', 'What counts as the same event coming again.', {
      window: duration().prefault('24h').describe('How long an event is remembered.'),
      capacity: count(1, MOST).default(1_000_000).describe('The most events remembered; the oldest leave first.'),
    }),
    delta_events: section('delta_events', 'The writer of raw events.', {
      run_event_ingest_plugins: z
        .boolean()
        .default(false)
        .describe('Runs the plugins of event_ingest before the event table is written too; every webhook of theirs then fires twice.'),
    }),
  });

/** A session that is no longer than the pause between two heartbeats ends by itself. */
const SHORTEST_SESSION_MS = 2000;

/** How brokers are spoken to. */
const clientFields = {
  client_id: z.string().min(1).default('penstock').describe("What the brokers' logs call these processes."),
  profile: z
    .enum(KAFKA_PROFILES)
    .default('kafka')
    .describe('`event_hubs` has the sessions, sizes and times that Azure Event Hubs asks for, and TLS.'),
  tls: section('kafka.tls', 'Encrypted connections to the brokers.', {
    enabled: z.boolean().optional().describe('Whether they are encrypted; no, but for `event_hubs`, when nothing is said.'),
    ca: z.string().min(1).optional().describe("A PEM file of authorities to trust; the system's own when nothing is said."),
    cert: z.string().min(1).optional().describe('A PEM file of a client certificate.'),
    key: z.string().min(1).optional().describe('A PEM file of its key.'),
    servername: z.string().min(1).optional().describe("The name in the brokers' certificate, where it is not the host's."),
  }),
  sasl: section('kafka.sasl', 'How the brokers learn who asks.', {
    mechanism: z.enum(SASL_MECHANISMS).default('none').describe('How it is shown.'),
    username: z.string().optional().describe('The user, for plain and scram.'),
    password: z.string().optional().describe('The password, for plain and scram; write a variable.'),
    connection: z.string().optional().describe('The connection whose `oauth2` gives tokens, for oauthbearer.'),
  }).superRefine(checkSasl),
  compression: z
    .enum(KAFKA_COMPRESSIONS)
    .default('none')
    .describe('How records are packed; snappy, lz4 and zstd want an optional package.'),
  replication: count(1, 100).optional().describe("Replicas of new topics; the brokers' own default when nothing is said."),
  create_topics: z.boolean().default(true).describe('Whether a topic that is written and not there is made.'),
  session_timeout: duration()
    .refine((value) => value >= SHORTEST_SESSION_MS, 'must be at least 2s: workers tell each second that they live')
    .optional()
    .describe('How long a worker may be silent before its partitions go to others; 10s, or 30s for event_hubs.'),
  delivery_timeout: duration().prefault('2m').describe('How long a record may wait for the brokers to take it.'),
};

function checkSasl(
  {
    mechanism,
    username,
    password,
    connection,
  }: { mechanism: string; username?: string | undefined; password?: string | undefined; connection?: string | undefined },
  context: z.RefinementCtx,
): void {
  const needs = (key: string) =>
    context.addIssue({ code: 'custom', path: [key], message: `mechanism ${mechanism} needs the key "${key}"`, params: { code: 'PS1101' } });
  if (mechanism === 'oauthbearer') {
    if (!connection) needs('connection');
  } else if (mechanism !== 'none') {
    if (!username) needs('username');
    if (!password) needs('password');
  }
}

/** The schema of a pipeline file. */
export function pipelineSchema(domains: readonly DomainShape[] = DOMAINS) {
  const runnable = domains.filter((domain) => domain.runs).map((domain) => domain.name);
  return z
    .strictObject({
      environment: z
        .string()
        .default('')
        .describe('What this environment is called; `production`, `prod` or `live` in it refuses switches for development.'),
      domains: z
        .array(z.enum(runnable as [string, ...string[]]))
        .min(1)
        .default(runnable)
        .describe('The domains that run here.'),
      kafka: section('kafka', 'The log, and what belongs to a domain.', {
        brokers: textList()
          .default([])
          .describe(
            'Kafka brokers as `host:port`, a list or a text with commas; none means those of `KAFKA_BROKERS`, and without them the embedded log.',
          ),
        ...clientFields,
        ...Object.fromEntries(domains.map((domain) => [domain.name, domainSection(domain)])),
      }),
      plugins: plugins('of all domains; `plugins.yaml` beside this file when nothing is said'),
      module_aliases: z
        .record(z.string(), z.string())
        .default({})
        .describe('Module names of an older system and what stands for them here; `kafka_pipeline.plugins` is known.'),
      connections: section('connections', 'Named HTTP services.', {
        config_path: z.string().optional().describe('The file of connections; `connections.yaml` beside this file when nothing is said.'),
      }),
      http: section('http', 'Where files may come from, and the limits of a transfer.', {
        allowed_hosts: textList()
          .optional()
          .describe(
            'Hosts that files may come from, exactly as written; takes the place of the built-in list. Empty means the built-in list.',
          ),
        resolve: z
          .record(z.string(), addressAndPort())
          .default({})
          .describe('`host: address:port` for simulators: these hosts are reached there, over plain HTTP. Refused in production.'),
        max_bytes: size().prefault('1GiB').describe('The largest file.'),
        idle_timeout: duration().prefault('30s').describe('The longest pause within a transfer.'),
        min_bytes_per_second: size().prefault('1KiB').describe('A transfer that stays slower is given up; 0 allows any.'),
        connect_timeout: duration().prefault('10s').describe('The longest wait for a connection.'),
        max_redirects: count(0, 20).default(5).describe('Redirects that are followed; each target is checked like the first address.'),
        breaker: section('http.breaker', 'When a host whose files keep failing is left alone.', {
          failures: count(1, 1000)
            .default(10)
            .describe('Failures in a row, of those that another attempt may mend, that open the breaker of a host.'),
          successes: count(1, 1000).default(3).describe('Successes that close it again.'),
          open: duration()
            .prefault('30s')
            .describe('How long it stays open before it tries again; downloads wait meanwhile, and nothing counts as an attempt.'),
        }),
        allow_localhost: z.boolean().default(false).describe('Allows loopback addresses. Refused in production.'),
      }),
      tables: section('tables', 'When rows become durable.', {
        flush: duration().prefault('1s').describe('The longest a row waits for its commit.'),
        rows: count(1, 1_000_000).default(2000).describe('A commit happens at the latest when so many rows wait.'),
        max_bytes: size().prefault('32MiB').describe('Or when they have so many bytes.'),
        checkpoint_every: count(1, 100_000).default(100).describe('A checkpoint is written every so many commits.'),
        directory: z.string().optional().describe('Where tables lie; `tables/` in the data directory when nothing is said.'),
      }),
      actions: section('actions', 'How the actions of plugins are performed.', {
        webhook_timeout: duration().prefault('10s').describe('The longest a webhook may take.'),
        attempts: count(1, 100).default(4).describe('Attempts in total before an action is dead-lettered.'),
        backoff: section('actions.backoff', 'The pause between attempts: it doubles from the base to the cap, half of it by chance.', {
          base: duration().prefault('1s').describe('The first pause.'),
          cap: duration().prefault('30s').describe('The longest pause.'),
        }),
        breaker: section('actions.breaker', 'When a service that keeps failing is left alone.', {
          failures: count(1, 1000).default(5).describe('Failures in a row that open the breaker.'),
          successes: count(1, 1000).default(2).describe('Successes that close it again.'),
          open: duration().prefault('30s').describe('How long it stays open before it tries again.'),
        }),
        concurrency: count(1, 1000).default(16).describe('The most actions of a worker that are out at once.'),
        capture: z.boolean().default(false).describe('Records webhooks and e-mail, and sends none.'),
      }),
      log: section('log', 'What is written to standard error.', {
        level: z.enum(LOG_LEVELS).default('info').describe('The least severe level that is written.'),
      }),
      api: section('api', 'The HTTP server of a worker: metrics and health.', {
        enabled: z.boolean().default(true).describe('Whether it runs.'),
        host: z.string().min(1).default('127.0.0.1').describe('The address it listens on.'),
        port: count(0, 65_535).default(4170).describe('Its port, or the next free one; 0 takes any.'),
      }),
      drain_timeout: duration().prefault('30s').describe('How long a shutdown waits for what is in flight.'),
    })
    .meta({ title: 'the pipeline file' });
}

export type WrittenPipeline = z.output<ReturnType<typeof pipelineSchema>>;
export type WrittenDomain = z.output<ReturnType<typeof domainSection>>;
export type WrittenPlugins = WrittenPipeline['plugins'];
