import type { MonoTypeOperatorFunction, Observable } from 'rxjs';
import { type Delivery, inLanes } from '../../../../operators/index.js';
import { traceContextOf } from '../../../plugin/trace-context.js';
import { performActions, type PluginOperator, type StageContext } from '../../../plugin/index.js';
import { redactText } from '../../../observe/redact.js';
import { type ClaimChecks, claimCheckSink } from '../../../runtime/claim-check.js';
import { type FailedMessage, failureRoute, type Failing } from '../../../runtime/failure-route.js';
import { inRetryOrder } from '../../../runtime/in-retry-order.js';
import { inWriteOrder } from '../../../runtime/in-write-order.js';
import type { Item } from '../../../runtime/item.js';
import type { RetryOrder } from '../../../runtime/retry-order.js';
import type { Sink } from '../../../runtime/sink.js';
import type { SpillOptions } from '../../../runtime/spill.js';
import { spilledRecord } from '../../../runtime/spilled-record.js';
import type { ChainOperator, Chains, Performing } from '../../../runtime/stage.js';
import { type Settled, worker } from '../../../runtime/worker.js';
import type { LogRecord, NewRecord } from '../../../transport/transport.js';
import { type AnyXactMessage, contextOf, traceIdOf, type XactStage } from '../stages.js';
import { logicalName, retryTopicName, topicName, XACT, type XactWorker } from '../topics.js';

/** The delays after which a failed message is tried again, one retry each, unless the options say otherwise: 5, 10, 20 and 40 minutes. */
export const RETRY_DELAYS_MS: readonly number[] = [300_000, 600_000, 1_200_000, 2_400_000];

/** The plugins of each stage: composed in code, where a plugin of another stage is a type error, or those of a loaded configuration. */
export type XactChains = { readonly [S in XactStage]?: PluginOperator<StageContext<'xact', S>> | ChainOperator | undefined };

/** What every worker of the domain is given. */
export interface XactWorkerOptions {
  /** Records of the topics that the worker consumes. Each of them is settled exactly once. */
  readonly source: Observable<Delivery<LogRecord>>;
  /** The plugins by stage: `{ result_process: chain(...) }`. A stage left out has none. */
  readonly chains?: XactChains;
  /** Performs what plugins ask for. Defaults to `performActions({})`, which knows log and header only: anything else is an error at assembly. */
  readonly perform?: Performing;
  /** Where the worker's own records go: tasks, results, retries, dead letters. */
  readonly sink: Sink;
  /** Drains the worker: what is in flight is finished, then the observable completes. */
  readonly signal?: AbortSignal | undefined;
  /** One retry for each, in milliseconds. Defaults to `RETRY_DELAYS_MS`. */
  readonly retryDelaysMs?: readonly number[];
  /** A retry waits its delay and up to this share of it more. Defaults to a tenth. */
  readonly retryJitter?: number;
  /** Keeps the order of a key across retries: those behind one that is retried wait for it. Without it they overtake. */
  readonly retryOrder?: RetryOrder;
  /** How many of the worker's own steps run at once. */
  readonly concurrency?: number;
  /** Where values lie that are too large to travel; without it every record travels as it is. */
  readonly claims?: ClaimChecks;
  /** Ids of the actions that were done for a record, so that its retry does not repeat them. */
  readonly doneActions?: (record: LogRecord) => readonly string[];
  /** Told of each failure and what was decided. */
  readonly onDecision?: (failing: Failing) => void;
}

export interface ShellParts {
  readonly steps: (records$: Observable<Delivery<LogRecord>>) => Observable<Delivery<unknown>>;
  readonly recordsOf?: (failing: Failing) => readonly NewRecord[];
  readonly retriedValue?: (failing: Failing, dueAt: Date) => Buffer | string | null;
  /** What is said of a message that failed; none when it could not be read. Defaults to its trace id, media id and URL. */
  readonly describe?: (message: unknown) => Omit<FailedMessage, 'message'>;
  /** Plugins at `error`, `retry` and `dlq` do not run for a worker that serves plugins itself: they would feed themselves. */
  readonly withoutPlugins?: boolean;
  /** What another attempt may mend is given back, since there is no retry topic for it. */
  readonly givesBack?: boolean;
}

/** A worker of the domain: its own steps, and the failure route that all share. */
export function xactWorker(name: XactWorker, options: XactWorkerOptions, parts: ShellParts): Observable<Settled> {
  const failures = failureRoute({
    domain: XACT,
    worker: name,
    delaysMs: options.retryDelaysMs ?? RETRY_DELAYS_MS,
    deadLetterTopic: topicName('xact.dlq'),
    logicalName: (topic) => logicalName(topic) ?? topic,
    retryTopic: retryTopicName,
    chains: parts.withoutPlugins === true ? {} : stageChains(options),
    perform: performOf(options),
    sink: sinkOf(options),
    describe: (value) => described(value, parts.describe ?? describe),
    contextOf: (stage, failing, data) =>
      contextOf(stage, failing.message as AnyXactMessage, { worker: name, headers: failing.headers, error: failing.error, data }),
    redact: redactText,
    ...(parts.recordsOf === undefined ? {} : { recordsOf: parts.recordsOf }),
    ...(parts.retriedValue === undefined ? {} : { retriedValue: parts.retriedValue }),
    ...(parts.givesBack === undefined ? {} : { givesBack: parts.givesBack }),
    ...(options.retryOrder === undefined ? {} : { order: options.retryOrder }),
    ...(options.retryJitter === undefined ? {} : { jitter: options.retryJitter }),
    ...(options.doneActions === undefined ? {} : { doneActions: options.doneActions }),
    ...(options.onDecision === undefined ? {} : { onDecision: options.onDecision }),
  });
  return worker<LogRecord>({
    name,
    source: options.source,
    signal: options.signal,
    steps: parts.steps,
    failures,
    ...(options.retryOrder === undefined ? {} : { atEnd: (origin, outcome) => options.retryOrder!.atEnd(origin, outcome) }),
  });
}

/** The order of a key: across retries where the worker is told so, else among what is in flight. */
export function lanes<I extends Item<unknown>>(
  name: XactWorker,
  options: XactWorkerOptions,
  key: (item: I) => string,
): MonoTypeOperatorFunction<Delivery<I>> {
  const retries = retriesInOrder<I>(name, options);
  return retries === undefined ? inLanes({ key }) : inRetryOrder({ ...retries, key });
}

/** The same before rows are written: what waits in place there would hold back the one that it waits for. */
export function writeLanes<I extends Item<unknown>>(
  name: XactWorker,
  options: XactWorkerOptions,
  key: (item: I) => string,
): MonoTypeOperatorFunction<Delivery<I>> {
  return inWriteOrder({ key, retries: retriesInOrder<I>(name, options) });
}

function retriesInOrder<I extends Item<unknown>>(worker: XactWorker, options: XactWorkerOptions): SpillOptions<I> | undefined {
  const { retryOrder } = options;
  if (retryOrder === undefined) return undefined;
  const route = { worker, domain: XACT, logicalName: (topic: string) => logicalName(topic) ?? topic, retryTopic: retryTopicName };
  return { order: retryOrder, sink: sinkOf(options), spill: (item, spilled) => spilledRecord(item, spilled, route) };
}

/** The chains, their types forgotten: the stage at which each stands is known. */
export function stageChains({ chains = {} }: XactWorkerOptions): Chains {
  return chains as Chains;
}

export function performOf(options: XactWorkerOptions): Performing {
  return options.perform ?? performActions({});
}

/** Where the worker's own records go, large ones by claim check. */
export function sinkOf({ sink, claims }: XactWorkerOptions): Sink {
  return claims === undefined ? sink : claimCheckSink(sink, claims);
}

/** What failed, as far as it was read. */
function described(value: unknown, say: NonNullable<ShellParts['describe']>): FailedMessage {
  return isItem(value) && value.message !== null
    ? { message: value.message, ...say(value.message) }
    : { message: null, traceId: '', about: {} };
}

function describe(message: unknown): Omit<FailedMessage, 'message'> {
  const traceId = traceIdOf(message as AnyXactMessage);
  const about: Record<string, unknown> = { trace_id: traceId };
  for (const name of ['media_id', 'attachment_url'] as const) {
    if (name in (message as object)) about[name] = (message as Readonly<Record<string, unknown>>)[name];
  }
  return { traceId, about };
}

function isItem(value: unknown): value is Item<unknown> {
  return typeof value === 'object' && value !== null && 'record' in value && 'message' in value;
}

/** An amended message in place of the item's own. */
export function amendItem<I extends Item<unknown>>(item: I, message: unknown): I {
  return { ...item, message };
}

/** A record of the domain's own: JSON under the trace id, with what later workers and plugins need to know of the event; `came` are the headers of the record that it comes of. */
export function ownRecord(
  topic: string,
  message: { readonly trace_id: string; readonly media_id?: string },
  eventType: string | null,
  came: Readonly<Record<string, string>>,
): NewRecord {
  return {
    topic,
    key: message.trace_id,
    value: JSON.stringify(message),
    headers: {
      ...traceContextOf(came),
      trace_id: message.trace_id,
      ...(message.media_id === undefined ? {} : { media_id: message.media_id }),
      ...(eventType === null ? {} : { event_type: eventType }),
    },
  };
}
