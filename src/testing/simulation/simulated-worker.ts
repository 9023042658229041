import type { Observable } from 'rxjs';
import { callEach, type Delivery, filtered, filterOut, inLanes, perMessage, tapEach } from '../../../operators/index.js';
import { PenstockError } from '../../diagnostics/index.js';
import { xactWorker } from '../../domains/xact/workers/shell.js';
import { BUILT_IN_FILTERS } from '../../runtime/built-in-filters.js';
import { decode } from '../../runtime/decode.js';
import type { Item } from '../../runtime/item.js';
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
  /** Does what is drawn for this message and attempt: answers at once or later, throws or rejects. To be called once for each try. */
  handle(item: Item<SimulatedMessage>): void | Promise<void>;
  /** Writes past the claim, at once. */
  produce(records: readonly NewRecord[]): Promise<readonly Position[]>;
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
export function simulatedSteps(parts: SimulatedParts): (records$: Observable<Delivery<LogRecord>>) => Observable<Delivery<unknown>> {
  const { name, sink, output, seen, seenStore, concurrency } = parts;
  return (records$) =>
    records$.pipe(
      decode({ group: name, read: readMessage }),
      inLanes({ key: (item) => item.message.key }),
      filterOut((item) => item.message.unwanted, 'unwanted'),
      perMessage<Item<SimulatedMessage>>(
        () => (item, delivery) => (seen.has(item.message.trace_id, Date.now()) ? filtered(BUILT_IN_FILTERS.duplicate) : delivery),
      ),
      callEach((item) => parts.handle(item), { concurrency, order: 'none' }),
      send(sink, (item) => [outputRecord(output, item.message)]),
      tapEach((item, delivery) => mark(delivery, seenStore, item.message.trace_id, Date.now() + REMEMBERED_MS)),
    );
}

/** The worker that is simulated unless another is given: the product's runtime around `simulatedSteps`, with its retries and dead letters. */
export const simulatedWorker: SimulatedWorker = (parts) =>
  xactWorker(parts.name, parts, {
    steps: simulatedSteps(parts),
    describe: (message) => {
      const { trace_id: traceId } = message as SimulatedMessage;
      return { traceId, about: { trace_id: traceId } };
    },
  });
