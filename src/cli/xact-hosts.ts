import { join } from 'node:path';
import type { Observable } from 'rxjs';
import { type Delivery } from '../../operators/index.js';
import type { PipelineConfig } from '../config/index.js';
import { PenstockError } from '../diagnostics/index.js';
import { INGESTED_MARKS, xactEventIngester } from '../domains/xact/workers/xact-event-ingester.js';
import type { XactWorkerOptions } from '../domains/xact/workers/shell.js';
import { xactActions } from '../domains/xact/workers/xact-actions.js';
import { xactDeltaEvents } from '../domains/xact/workers/xact-delta-events.js';
import { xactDownload } from '../domains/xact/workers/xact-download.js';
import { xactResultProcessor } from '../domains/xact/workers/xact-result-processor.js';
import { xactRetry } from '../domains/xact/workers/xact-retry.js';
import { xactUpload } from '../domains/xact/workers/xact-upload.js';
import { XACT_STAGES } from '../domains/xact/stages.js';
import { XACT_ATTACHMENTS, XACT_ATTACHMENTS_FAILED, XACT_EVENTS } from '../domains/xact/tables.js';
import { consumedTopics, logicalName, ofRetryTopic, topicName, XACT, type XactWorker } from '../domains/xact/topics.js';
import { createDownloader, type WebhookPerformer } from '../http/index.js';
import { type ActionMeter, type Health, type Logger, type Metrics, redactText, type UserMetrics, watchMarks } from '../observe/index.js';
import type { PlannedAction } from '../plugin/index.js';
import type { LoadedChainSet } from '../plugin/chain-set.js';
import type { RetryPolicy } from '../plugin/entry.js';
import { type ClaimChecks } from '../runtime/claim-check.js';
import type { Failing } from '../runtime/failure-route.js';
import { guard } from '../runtime/guarded-call.js';
import { outboxCalls } from '../runtime/outbox-calls.js';
import { pluginActions, publisher } from '../runtime/plugin-actions.js';
import { RetryOrder } from '../runtime/retry-order.js';
import type { Sealing } from '../runtime/sealing.js';
import { carrySink } from '../runtime/sink.js';
import { chainsOf } from '../runtime/stage.js';
import { checkLogEnds, tableWriter, type TableWriter, type TableWriterOptions } from '../runtime/table-writer.js';
import { openLocalBlobs } from '../storage/blob/index.js';
import { type Table } from '../storage/delta/index.js';
import type { LogRecord, Transport } from '../transport/transport.js';
import type { DataDirectory } from './data-directory.js';
import { meteredBlobs, meteredDownload, meteredGuard } from './metered.js';
import { type BuiltWorker, type WorkerHost, workerHost } from './worker-host.js';

export interface PipelineOptions {
  readonly config: PipelineConfig;
  readonly data: DataDirectory;
  readonly transport: Transport;
  readonly chains: LoadedChainSet;
  readonly workers: readonly XactWorker[];
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Keeps values of the environment out of what is stored. */
  readonly sealing: Sealing;
  /** Performs webhooks and e-mails. */
  readonly sender: WebhookPerformer;
  /** It records them only. */
  readonly captured: boolean;
}

/** What the workers of one pipeline share. */
export interface Wiring {
  readonly options: PipelineOptions;
  readonly tables: Readonly<Record<string, Table>>;
  readonly actions: ActionMeter;
  readonly counters: UserMetrics;
  readonly produce: Transport['produce'];
  readonly claims: ClaimChecks;
  /** Of each topic's log, for the tables' record of progress. */
  readonly identities: ReadonlyMap<string, string>;
  readonly hosts: readonly WorkerHost[];
}

/** Those of the configured delays, and those that hold records of delays which were configured before. */
async function retryTopicsOf(transport: Transport, delaysMs: readonly number[]): Promise<readonly string[]> {
  const there = (await transport.topics())
    .map(({ name }) => name)
    .filter((name) => logicalName(ofRetryTopic(name)?.topic ?? '') !== undefined);
  return [...new Set([...consumedTopics('xact-retry', delaysMs), ...there])];
}
/** One worker of the pipeline with its consumers, ready to start. */
export async function hostFor(name: XactWorker, wiring: Wiring): Promise<WorkerHost> {
  const { options } = wiring;
  const { config, transport, metrics, health } = options;
  const domain = config.perDomain[XACT]!;
  const settings = domain.workers[name];
  if (settings === undefined) throw new PenstockError('PS7000', `the configuration has no settings for ${name}`);
  const topics = name === 'xact-retry' ? await retryTopicsOf(transport, domain.retryDelaysMs) : consumedTopics(name, domain.retryDelaysMs);
  const make = await builderFor(name, wiring);
  const retryOrder = retryOrderFor(name, options);
  const host: WorkerHost = workerHost({
    name,
    // Each delay has a consumer of its own: a long one that is full must not hold back a short one.
    topics: name === 'xact-retry' ? topics.map((topic) => [topic]) : [topics],
    transport,
    credits: { count: settings.credits, bytes: settings.maxInFlightBytes },
    log: options.log.child({ worker: name }),
    metrics,
    health,
    build: (source, signal) => {
      const shared = { ...sharedOptions(name, source, signal, wiring, host), ...(retryOrder === undefined ? {} : { retryOrder }) };
      return make(settings.concurrency === undefined ? shared : { ...shared, concurrency: settings.concurrency });
    },
  });
  return host;
}

/** Keys that wait for a retry are remembered beside the records: a store is open before the worker is handed the first of them. */
function retryOrderFor(name: XactWorker, { config, transport, metrics }: PipelineOptions): RetryOrder | undefined {
  const settings = config.perDomain[XACT]!.workers[name]?.retryOrder;
  if (settings === undefined) return undefined;
  const store = `${name}.parked`;
  const marks = transport.marks(store, { capacity: PARKED_KEYS });
  watchMarks(metrics, store, marks);
  return new RetryOrder({ group: name, marks, store, ...settings });
}

/** The most keys of a worker that wait for a retry at once; beyond it those that would be given up first are not waited for. */
const PARKED_KEYS = 1_000_000;

/** What all workers have in common: plugins, actions, retries, counting. */
function sharedOptions(
  name: XactWorker,
  source: Observable<Delivery<LogRecord>>,
  signal: AbortSignal,
  { options, actions, counters, produce, claims }: Wiring,
  host: WorkerHost,
): XactWorkerOptions {
  const { config, chains } = options;
  const log = options.log.child({ worker: name });
  const performed = pluginActions({
    domain: XACT,
    worker: name,
    produce,
    claims,
    sealing: options.sealing,
    outboxTopic: topicName('xact.actions_outbox'),
    deadLetterTopic: topicName('xact.dlq'),
    concurrency: config.actions.concurrency,
    retry: { attempts: config.actions.attempts, base: config.actions.backoff.baseMs, cap: config.actions.backoff.capMs },
    redact: redactText,
    policyOf: (plugin) => chains.policyOf(plugin),
    log: ({ params }, planned, context) => {
      log[levelOf(params.level)](params.message, {
        plugin: planned.plugin,
        event_id: context.event_id,
        stage: context.stage,
        ...params.fields,
      });
    },
    metric: ({ params }) => counters.count(params.name, params.labels, params.value),
    webhook: options.sender.webhook,
    email: options.sender.email,
    onAction: (planned, result, milliseconds) => countAction(actions, planned, result, milliseconds),
  });
  return {
    source,
    signal,
    chains: chainsOf(chains, XACT_STAGES),
    perform: performed.perform,
    sink: carrySink,
    claims,
    retryDelaysMs: config.perDomain[XACT]!.retryDelaysMs,
    retryJitter: config.perDomain[XACT]!.retryJitter,
    doneActions: performed.done,
    onDecision: (failing) => tellDecision(failing, host, log),
  };
}

function countAction(
  actions: ActionMeter,
  planned: PlannedAction,
  result: 'done' | 'queued' | 'dead_lettered',
  milliseconds: number | undefined,
): void {
  if (result !== 'queued') actions.performed(planned.action.type, result, milliseconds);
}

function tellDecision(failing: Failing, host: WorkerHost, log: Logger): void {
  const { decision, category, error, retryCount, traceId } = failing;
  host.meter.failed(category);
  const fields = { trace_id: traceId, category, retry_count: retryCount, error: error instanceof Error ? error.message : String(error) };
  if (decision.action === 'retry') {
    host.meter.retried(category, decision.delayMs);
    log.info('failed, will be retried', { ...fields, topic: decision.topic });
  } else {
    host.meter.deadLettered(decision.reason);
    log.warn('given up, dead-lettered', { ...fields, reason: decision.reason });
  }
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

function levelOf(text: string | undefined): (typeof LEVELS)[number] {
  const asked = text?.toLowerCase() === 'warning' ? 'warn' : text?.toLowerCase();
  return LEVELS.find((level) => level === asked) ?? 'info';
}

type Builder = (shared: XactWorkerOptions) => BuiltWorker;

async function builderFor(name: XactWorker, wiring: Wiring): Promise<Builder> {
  const { options } = wiring;
  const { config, data, transport, metrics, env } = options;
  const { http, perDomain } = config;
  const domain = perDomain[XACT]!;
  switch (name) {
    case 'xact-event-ingester': {
      const seen = transport.marks(INGESTED_MARKS, { capacity: domain.dedupe.capacity });
      watchMarks(metrics, INGESTED_MARKS, seen);
      const urls = { allowedHosts: http.allowedHosts, allowLocalhost: http.allowLocalhost, environment: env };
      return (shared) => ({ settled$: xactEventIngester({ ...shared, urls, seen, dedupeWindowMs: domain.dedupe.windowMs }) });
    }
    case 'xact-download': {
      const fetch = createDownloader({ ...http, directory: join(data.cache, XACT), production: config.production, environment: env });
      const download = meteredDownload(fetch, metrics, name);
      const hosts = meteredGuard(guard({ ...http.breaker, halfOpenMax: PROBES, ignoreAuth: false }), metrics, 'downloads');
      options.health.readiness('downloads breaker', () => (hosts.open().length === 0 ? undefined : `open for ${hosts.open().join(', ')}`));
      return (shared) => ({
        settled$: xactDownload({
          ...shared,
          download: (request, signal) =>
            hosts.run(
              hostOf(request.url),
              () => download(request, signal),
              signal,
              ...(shared.signal === undefined ? [] : [shared.signal]),
            ),
        }),
      });
    }
    case 'xact-upload': {
      const blobs = meteredBlobs(await openLocalBlobs({ directory: join(data.files, XACT), workshop: data.tmp }), metrics);
      return (shared) => ({ settled$: xactUpload({ ...shared, blobs, cacheDirectory: join(data.cache, XACT) }) });
    }
    case 'xact-result-processor': {
      const writing = await writingOf(name, [XACT_ATTACHMENTS.name, XACT_ATTACHMENTS_FAILED.name], wiring);
      return (shared) => {
        const rows = tableWriter(writing);
        return withWriter(rows, xactResultProcessor({ ...shared, rows }));
      };
    }
    case 'xact-delta-events': {
      const writing = await writingOf(name, [XACT_EVENTS.name], wiring);
      return (shared) => {
        const rows = tableWriter(writing);
        const tablePath = join(config.tables.directory ?? data.tables, XACT_EVENTS.name);
        const runEventIngest = domain.deltaEvents.runEventIngestPlugins;
        return withWriter(rows, xactDeltaEvents({ ...shared, rows, batchSize: config.tables.rows, tablePath, runEventIngest }));
      };
    }
    case 'xact-retry':
      return (shared) => ({ settled$: xactRetry({ ...shared, maxHeld: domain.workers[name]!.credits }) });
    case 'xact-actions': {
      const performers = { ...options.sender, publish: publisher(wiring.produce), sealing: options.sealing };
      const services = meteredGuard(guard({ ...config.actions.breaker, ignoreAuth: false }), metrics, 'actions');
      return (shared) => ({
        settled$: xactActions({
          ...shared,
          performers,
          calls: outboxCalls({
            policyOf: (plugin) => options.chains.policyOf(plugin),
            services,
            serviceOf: ({ action }) => serviceOf(action.params),
            retryOf: ({ action }) => retryOfConnection(config, action.params['connection']),
            concurrency: domain.workers[name]?.concurrency,
          }),
          onDone: ({ action }, milliseconds) => wiring.actions.performed(action.type, options.captured ? 'captured' : 'done', milliseconds),
        }),
      });
    }
    default:
      return name satisfies never;
  }
}

/** How many downloads a half-open breaker lets through at once. */
const PROBES = 5;

/** What fails together: the connection, else the host. */
function serviceOf({ connection, url }: Readonly<Record<string, unknown>>): string {
  return typeof connection === 'string' ? connection : typeof url === 'string' ? hostOf(url) : '';
}

/** How calls through a connection are tried again at once. */
function retryOfConnection({ connections }: PipelineConfig, name: unknown): RetryPolicy | undefined {
  const found = typeof name === 'string' ? (connections[name] ?? Object.values(connections).find((one) => one.name === name)) : undefined;
  return found === undefined ? undefined : { attempts: found.maxRetries, base: found.retryBackoffBaseMs, cap: found.retryBackoffCapMs };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}

/** How a worker writes its tables. Rejects with `PS3004` when they know more of the log than the log does. */
async function writingOf(
  worker: XactWorker,
  names: readonly string[],
  { tables, identities, options }: Wiring,
): Promise<TableWriterOptions> {
  const { config, transport } = options;
  const { flushMs, rows, maxBytes } = config.tables;
  const writing: TableWriterOptions = {
    tables: Object.fromEntries(names.map((name) => [name, tables[name]!])),
    appId: (topic, partition) => `penstock/${worker}/${identities.get(topic)}/${partition}`,
    flushMs,
    maxRows: rows,
    maxBytes,
  };
  for (const topic of consumedTopics(worker, [])) {
    const ends = await transport.offsets(topic);
    await checkLogEnds(
      writing,
      ends.map(({ partition, end }) => ({ topic, partition, end })),
    );
  }
  return writing;
}

function withWriter(writer: TableWriter, settled$: BuiltWorker['settled$']): BuiltWorker {
  return {
    settled$,
    drain: () => writer.drain(),
    lost: (topic, partition) => writer.lost(topic, partition),
    fault: () => writer.state().fault?.error,
    waitingFor: () => {
      const { rows, fault, waitingFor } = writer.state();
      return [
        ...(rows > 0 ? [`${rows} rows not written`] : []),
        ...(fault === undefined ? [] : [`the last write failed: ${String(fault.error)}`]),
        ...waitingFor.map(({ topic, partition, offset }) => `rows wait for ${topic}[${partition}]@${offset}`),
      ];
    },
  };
}
