import { Observable, tap } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { carrySink } from '../runtime/sink.js';
import { memoryTransport } from '../transport/memory/index.js';
import { partitionOf } from '../transport/partitioner.js';
import type { Consumer, LogRecord, NewRecord, Transport } from '../transport/transport.js';
import type { Context } from '../plugin/index.js';
import type { Performers } from './acting.js';
import type { Alphabet } from './alphabet.js';
import { LaneError, type Mark } from './lane.js';
import type { Entry, Recording } from './recording.js';
import type { WorkerHost, WorkerOnLog } from './worker-on-log.js';

const DEFAULT_CREDITS = { count: 100, bytes: 1024 * 1024 };

interface Entered {
  readonly letter: string;
  readonly frame: number;
}

export interface LogBenchOptions {
  readonly alphabet: Alphabet;
  readonly recording: Recording;
  /** Milliseconds since the drawing began. */
  readonly now: () => number;
  /** What performs actions, and writes publishes by this function. */
  readonly acting: (produce: (records: readonly NewRecord[]) => Promise<unknown>) => Performers;
}

/** The log that a worker stands on while it is drawn, and what is seen of it. */
export class LogBench {
  private readonly transport: Transport;
  private readonly consumers: Consumer[] = [];
  private readonly draining = new AbortController();
  /** Letters by the place of their records in the input topic. */
  private readonly places = new Map<string, string>();
  private readonly keys = new Map<string, string>();
  private readonly unsettled = new Map<string, Entered>();
  /** Up to where each partition of each topic was looked at. */
  private readonly seen = new Map<string, number>();
  private readonly committed = new Map<number, { readonly offset: number; readonly entry: Entry | undefined }>();
  private readonly topic: string;
  private readonly group: string;

  constructor(
    private readonly worker: WorkerOnLog,
    private readonly options: LogBenchOptions,
  ) {
    this.topic = worker.options.topic ?? 'in';
    this.group = worker.options.group ?? 'worker';
    this.transport = memoryTransport({ onWarning: (error) => this.warn(error), ...worker.options.log });
  }

  get inFlight(): readonly Entered[] {
    return [...this.unsettled.values()];
  }

  /** Makes the topic, then the worker. */
  start(): Observable<unknown> {
    return new Observable((subscriber) => {
      const { transport, topic, group, worker } = this;
      void transport.ensureTopics([{ name: topic, partitions: worker.options.partitions ?? 1 }]);
      const host: WorkerHost = {
        source: this.consume([topic], group).pipe(tap((delivery) => this.taken(delivery))),
        signal: this.draining.signal,
        sink: carrySink,
        ...this.options.acting((records) => transport.produce(records)),
        transport,
        consume: (topics, other) => this.consume(topics, other),
      };
      return worker.start(host).subscribe(subscriber);
    });
  }

  /** Ends the log; what it waits for are timers of the drawing. */
  close(): void {
    this.transport.close().catch((error: unknown) => this.warn(error));
  }

  /** The letter of the item that a context was made of. */
  letterOfContext({ message, event_id: id }: Context): string {
    const named = this.options.alphabet.letterOf(message);
    return this.options.alphabet.has(named) ? named : (this.keys.get(id) ?? named);
  }

  /** Something that belongs to no record is told in a lane of its own, which fails where nobody drew it. */
  private warn(error: unknown): void {
    this.options.recording.value('warning', String(error));
  }

  /** What happens in one moment of the lane `in`. */
  enter(marks: readonly Mark[]): void {
    const records: NewRecord[] = [];
    for (const { kind, symbol, at } of marks) {
      if (kind === 'error') throw new LaneError('lane "in": a log does not end by an error', 'in', at);
      if (kind === 'next') records.push(this.recordOf(symbol));
    }
    this.transport.produce(records).catch((error: unknown) => this.warn(error));
    if (marks.at(-1)?.kind !== 'complete') return;
    this.options.recording.end('in', 'complete');
    void this.consumers[0]?.drain();
  }

  drain(): void {
    this.draining.abort();
    for (const consumer of this.consumers) void consumer.drain();
  }

  /** Sees what was written and committed since. */
  async look(): Promise<void> {
    const { transport, topic } = this;
    for (const { name, offsets } of await transport.topics()) {
      for (const { partition, end } of offsets) {
        const place = `${name}/${String(partition)}`;
        const from = this.seen.get(place) ?? 0;
        if (end === from) continue;
        this.seen.set(place, end);
        for await (const record of transport.read(name, partition, from)) this.written(record);
      }
    }
    for (const { partition, offset } of await transport.committed(this.group, topic)) {
      const before = this.committed.get(partition);
      if (offset <= (before?.offset ?? 0)) continue;
      const { recording, now } = this.options;
      if (before?.entry?.frame === now()) recording.retract('commit', before.entry);
      const letter = this.places.get(`${topic}/${String(partition)}/${String(offset - 1)}`) ?? '?';
      this.committed.set(partition, { offset, entry: recording.item('commit', letter, { implied: true }) });
    }
  }

  private consume(topics: readonly string[], group: string): Observable<Delivery<LogRecord>> {
    const { transport, worker } = this;
    const consumer = transport.consume({ topics, group, credits: worker.options.credits ?? DEFAULT_CREDITS });
    this.consumers.push(consumer);
    return consumer.deliveries$;
  }

  private recordOf(letter: string): NewRecord {
    const { topic, worker } = this;
    const message = this.options.alphabet.valueOf(letter);
    const given = worker.options.record?.(message, letter) ?? {
      key: letter,
      value: Buffer.isBuffer(message) ? message : JSON.stringify(message),
    };
    const key = given.key === null ? letter : String(given.key);
    const partition = given.partition ?? partitionOf(Buffer.from(key), worker.options.partitions ?? 1);
    // Where it will lie is known before: whatever else is written to the topic was seen after the moment in which it was.
    const offset = this.seen.get(`${topic}/${String(partition)}`) ?? 0;
    this.seen.set(`${topic}/${String(partition)}`, offset + 1);
    this.options.recording.item('in', letter);
    this.entered(`${topic}/${String(partition)}/${String(offset)}`, letter);
    if (!this.keys.has(key)) this.keys.set(key, letter);
    return { topic, ...given, partition };
  }

  private entered(place: string, letter: string): void {
    this.places.set(place, letter);
    this.unsettled.set(place, { letter, frame: this.options.now() });
  }

  private taken(delivery: Delivery<LogRecord>): void {
    const { topic, partition, offset } = delivery.value;
    const place = `${topic}/${String(partition)}/${String(offset)}`;
    // A record that a worker itself wrote to the topic a moment ago may be handed out before it is looked at.
    if (!this.places.has(place)) this.entered(place, this.letterOf(delivery.value));
    const letter = this.places.get(place)!;
    if (!this.unsettled.has(place)) this.unsettled.set(place, { letter, frame: this.options.now() });
    this.options.recording.item('taken', letter, { implied: true });
    delivery.whenSettled((outcome, reason) => {
      this.unsettled.delete(place);
      this.options.recording.item(outcome, letter, { reason });
    });
  }

  private written(record: LogRecord): void {
    const letter = this.letterOf(record);
    this.options.recording.action(`publish ${record.topic}`, letter, contentOf(record));
    const place = `${record.topic}/${String(record.partition)}/${String(record.offset)}`;
    if (record.topic === this.topic && !this.places.has(place)) this.entered(place, letter);
  }

  /** The letter of what a record holds, else of the item whose key it has. */
  private letterOf(record: LogRecord): string {
    const content = contentOf(record);
    const named = this.options.alphabet.letterOf(content);
    if (this.options.alphabet.has(named)) return named;
    return (record.key === null ? undefined : this.keys.get(record.key.toString())) ?? named;
  }
}

/** A record's value as JSON, where it is; else its text. */
function contentOf({ value }: LogRecord): unknown {
  if (value === null) return null;
  const text = value.toString();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not JSON: then the text is what it holds.
    return text;
  }
}
