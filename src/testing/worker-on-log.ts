import type { Observable } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import type { OutboxPerformers } from '../runtime/plugin-actions.js';
import type { Sink } from '../runtime/sink.js';
import type { Performing } from '../runtime/stage.js';
import type { MemoryTransportOptions } from '../transport/memory/index.js';
import type { LogRecord, NewRecord, Transport } from '../transport/transport.js';

/** What a worker that is drawn stands on. */
export interface WorkerHost {
  /** The records that `in` draws, and those that came back to its topic. */
  readonly source: Observable<Delivery<LogRecord>>;
  /** Aborted where the lane `drain` has its `!`. */
  readonly signal: AbortSignal;
  /** Puts records on the claim. */
  readonly sink: Sink;
  /** Performs what plugins ask for: publishes are written to the log, the rest is only recorded; all as the mocks answer. */
  readonly perform: Performing;
  /** Makes the calls of an outbox, as the mocks answer. */
  readonly performers: OutboxPerformers;
  readonly transport: Transport;
  /** Records of other topics, as another group or worker of the same drawing takes them. */
  consume(topics: readonly string[], group: string): Observable<Delivery<LogRecord>>;
}

export interface WorkerOnLogOptions {
  /** The topic that `in` writes to. Defaults to `in`. */
  readonly topic?: string;
  /** Defaults to `worker`. */
  readonly group?: string;
  /** Partitions of the topic. Defaults to 1. */
  readonly partitions?: number;
  /** The most deliveries, and bytes of them, that may be unsettled at once. Defaults to 100, and a mebibyte. */
  readonly credits?: { readonly count: number; readonly bytes: number };
  /** The record of a letter. Defaults to its message as JSON under the letter as key; a `Buffer` is taken as it is. */
  readonly record?: (message: unknown, letter: string) => Omit<NewRecord, 'topic'>;
  /** How the log behaves: how long a released record waits, and whether it takes writes at all. */
  readonly log?: Omit<MemoryTransportOptions, 'clock'>;
}

/** A whole worker, mounted on a log in memory. */
export class WorkerOnLog {
  constructor(
    readonly start: (host: WorkerHost) => Observable<unknown>,
    readonly options: WorkerOnLogOptions,
  ) {}
}

/**
 * A whole worker as the subject of a drawing: `in` is written to a topic of a log in memory, whose end is `|`; the doors are those by which the
 * records left, `publish <topic>` is what was written to any topic, `taken` when a record was handed out, and `commit` the last record below the
 * committed offset of its partition. `drain` says by `!` when the worker drains; `sub` by `!` when it is stopped.
 */
export function workerOnLog(start: (host: WorkerHost) => Observable<unknown>, options: WorkerOnLogOptions = {}): WorkerOnLog {
  return new WorkerOnLog(start, options);
}
