import type { MonoTypeOperatorFunction, Observable } from 'rxjs';
import { callEach, type Delivery, filtered, filterOut, perMessage, tapEach } from '../../../operators/index.js';
import { PenstockError } from '../../diagnostics/index.js';
import { lanes as keyLanes, xactWorker } from '../../domains/xact/workers/shell.js';
import { BUILT_IN_FILTERS } from '../../runtime/built-in-filters.js';
import { decode } from '../../runtime/decode.js';
import type { Item } from '../../runtime/item.js';
import { RetryOrder } from '../../runtime/retry-order.js';
import { mark, send, type Sink } from '../../runtime/sink.js';
import type { Settled } from '../../runtime/worker.js';
import type { LogRecord, Marks, NewRecord, Position } from '../../transport/transport.js';
import type { WORKER_GROUP } from './topics.js';

/** The message of the simulated worker's records, as JSON. */
export interface SimulatedMessage {
  readonly trace_id: string;
  /** Names the record in traces; what is made of the message keeps it. */
  readonly letter: string;
  /** Messages of one key must be worked on in order. */
  readonly key: string;
  /** Whether the worker should filter it. */
  readonly unwanted: boolean;
}

/** What a simulated worker is given. */
export interface SimulatedParts {
  /** Its name and consumer group. */
  readonly name: typeof WORKER_GROUP;
  readonly source: Observable<Delivery<LogRecord>>;
  readonly signal: AbortSignal;
  /** Where its records go: with the outcome, in one transaction. */
  readonly sink: Sink;
  /** Where the record goes that it makes of each message it delivers: the message's JSON, `letter` and all. */
  readonly output: string;
  readonly retryDelaysMs: readonly number[];
  readonly concurrency: number;
  /** What was delivered, by `trace_id`. */
  readonly seen: Marks;
  /** The name of the mark store behind `seen`. */
  readonly seenStore: string;
  /** Any other mark store. */
  marks(store: string): Marks;
  /** Does what is drawn for this message and attempt: answers at once or later, throws or rejects. To be called once for each try. */
  handle(item: Item<SimulatedMessage>): void | Promise<void>;
  /** Writes past the claim, at once. */
  produce(records: readonly NewRecord[]): Promise<readonly Position[]>;
  /** Told of each partition that is taken away, for a worker that keeps something of it. */
  onLost(listener: (topic: string, partition: number) => void): void;
}

/** What is simulated: a worker over the source it is given, which settles each of its deliveries once. */
export type SimulatedWorker = (parts: SimulatedParts) => Observable<Settled>;

/** How long a delivered message is remembered, in virtual milliseconds: longer than any run. */
const REMEMBERED_MS = 3_600_000;

/** Reads a record of the simulated topic; what is no JSON can never be read. */
export function readMessage(bytes: Buffer): SimulatedMessage {
  try {
    return JSON.parse(bytes.toString('utf8')) as SimulatedMessage;
  } catch (cause) {
    throw new PenstockError('PS4101', 'the message is no JSON', { category: 'permanent', cause });
  }
}

export const outputRecord = (output: string, message: SimulatedMessage): NewRecord => ({
  topic: output,
  key: message.key,
  value: JSON.stringify(message),
});

/** A worker as the product's own are made: decode, lanes, filters, a bounded call, records on the claim, marks with the outcome. */
export function simulatedSteps(
  parts: SimulatedParts,
  order?: RetryOrder,
): (records$: Observable<Delivery<LogRecord>>) => Observable<Delivery<unknown>> {
  const { name, sink, output, seen, seenStore, concurrency } = parts;
  return (records$) =>
    records$.pipe(
      decode({ group: name, read: readMessage }),
      lanes(parts, order),
      filterOut((item) => item.message.unwanted, 'unwanted'),
      perMessage<Item<SimulatedMessage>>(
        () => (item, delivery) => (seen.has(item.message.trace_id, Date.now()) ? filtered(BUILT_IN_FILTERS.duplicate) : delivery),
      ),
      callEach((item) => parts.handle(item), { concurrency, order: 'none' }),
      send(sink, (item) => [outputRecord(output, item.message)]),
      tapEach((item, delivery) => mark(delivery, seenStore, item.message.trace_id, Date.now() + REMEMBERED_MS)),
    );
}

/** In order of a key: across retries where that is asked for. */
function lanes(parts: SimulatedParts, retryOrder: RetryOrder | undefined): MonoTypeOperatorFunction<Delivery<Item<SimulatedMessage>>> {
  return keyLanes<Item<SimulatedMessage>>(
    parts.name,
    { ...parts, ...(retryOrder === undefined ? {} : { retryOrder }) },
    (item) => item.message.key,
  );
}

/** The worker that is simulated unless another is given: the product's runtime around `simulatedSteps`, with its retries and dead letters. */
export const simulatedWorker: SimulatedWorker = (parts) => mounted(parts, undefined);

/** The same, with the order of a key kept across retries. */
export const orderedWorker: SimulatedWorker = (parts) => {
  const store = `${parts.name}.parked`;
  return mounted(parts, new RetryOrder({ group: parts.name, marks: parts.marks(store), store, waitMs: WAIT_MS }));
};

/** How long a message waits in place, in virtual milliseconds: shorter than some retries, longer than others. */
const WAIT_MS = 25;

function mounted(parts: SimulatedParts, retryOrder: RetryOrder | undefined): Observable<Settled> {
  return xactWorker(parts.name, retryOrder === undefined ? parts : { ...parts, retryOrder }, {
    steps: simulatedSteps(parts, retryOrder),
    describe: (message) => {
      const { trace_id: traceId } = message as SimulatedMessage;
      return { traceId, about: { trace_id: traceId } };
    },
  });
}
