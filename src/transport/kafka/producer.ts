import type { Kafka, Message, Producer } from 'kafkajs';
import { PenstockError } from '../../diagnostics/index.js';
import type { Position } from '../transport.js';
import { protocolType, toPenstock } from './failure.js';
import { packed } from './packed-messages.js';
import { messageOf, type Placed, wireSize } from './record.js';
import type { KafkaSettings } from './settings.js';
import { within } from './within.js';

export interface ProducerOptions {
  readonly client: () => Kafka;
  readonly settings: KafkaSettings;
  /** The client's number of the codec. */
  readonly compression: number;
  /** The most bytes of one request to the topic. */
  maxBytes(topic: string): number;
  /** The brokers do not know the topic: makes it or tells why not. */
  missing(topic: string): Promise<void>;
}

/** One client with one producer id. Its sequence numbers are right as long as no batch is given up while its fate is unknown. */
interface Engine {
  readonly producer: Producer;
  readonly connected: Promise<void>;
  users: number;
  retired: boolean;
}

/** What one call of `send` waits for. */
interface Ticket {
  readonly positions: Position[];
  open: number;
  error: PenstockError | undefined;
  readonly done: (ticket: Ticket) => void;
}

interface Entry {
  readonly message: Message;
  readonly bytes: number;
  readonly ticket: Ticket;
  readonly index: number;
}

/** What waits for one topic-partition; one batch of it is out at a time. */
interface Lane {
  readonly topic: string;
  readonly partition: number;
  readonly queue: Entry[];
  busy: boolean;
}

const MOST_RECORDS = 5000;
/** A client sends to a broker one request at a time, and writes the next only when the last is answered: several keep both sides busy. */
const MOST_ENGINES = 3;
const PAUSE_MS = 100;
const MOST_PAUSE_MS = 2000;

/** The sequence numbers are not what the broker expects: a new producer id is the way out. */
const SEQUENCE = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'PRODUCER_FENCED',
]);

/**
 * Writes records so that what is acknowledged is in the log, once, in order of each topic-partition, also while leaders move and brokers die. The client
 * keeps that promise under these conditions only: idempotent, the partition fixed before, one send for one topic-partition, and no second one of it
 * while the first is unsettled; records that arrive meanwhile go together into the next. A batch of unknown fate is sent again by the same producer id
 * and with the same content until it is settled or out of time; when it is given up, that id is not used again.
 */
export class BatchingProducer {
  private readonly lanes = new Map<string, Lane>();
  private readonly engines = new Set<Engine>();
  /** Those that take new batches. */
  private readonly current = new Set<Engine>();
  private closed = false;
  private out = 0;
  private readonly idlers: (() => void)[] = [];

  constructor(private readonly options: ProducerOptions) {}

  /** Records that are not yet acknowledged. */
  get waiting(): number {
    return this.out;
  }

  /** Resolves when all are acknowledged; rejects when one is not, with the first reason. `onEach` hears of each that is. */
  send(records: readonly Placed[], onEach?: (index: number) => void): Promise<readonly Position[]> {
    if (records.length === 0) return Promise.resolve([]);
    if (this.closed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      const ticket: Ticket = {
        positions: Array.from({ length: records.length }),
        open: records.length,
        error: undefined,
        done: ({ error, positions }) => {
          if (onEach !== undefined) for (const [index, position] of positions.entries()) if (position !== undefined) onEach(index);
          if (error === undefined) resolve(positions);
          else reject(error);
        },
      };
      this.out += records.length;
      for (const [index, record] of records.entries()) {
        const name = `${record.topic}\0${record.partition}`;
        let lane = this.lanes.get(name);
        if (lane === undefined) {
          lane = { topic: record.topic, partition: record.partition, queue: [], busy: false };
          this.lanes.set(name, lane);
        }
        lane.queue.push({ message: messageOf(record), bytes: wireSize(record), ticket, index });
        if (!lane.busy) this.start(lane);
      }
    });
  }

  /** What is out is waited for until the time is up; then it counts as lost to us, whatever the brokers have of it. */
  async close(timeoutMs = 5000): Promise<void> {
    if (this.out > 0) {
      const idle = new Promise<void>((resolve) => this.idlers.push(resolve));
      await within(idle, timeoutMs);
    }
    this.closed = true;
    for (const engine of this.engines) await this.disconnect(engine);
  }

  private start(lane: Lane): void {
    lane.busy = true;
    // What is sent in this turn of the event loop goes together.
    queueMicrotask(() => void this.drain(lane));
  }

  private async drain(lane: Lane): Promise<void> {
    while (lane.queue.length > 0) {
      const batch = this.take(lane);
      await this.deliver(lane, batch);
    }
    lane.busy = false;
    this.lanes.delete(`${lane.topic}\0${lane.partition}`);
  }

  private take({ topic, queue }: Lane): readonly Entry[] {
    const most = Math.min(this.options.settings.batchBytes, this.options.maxBytes(topic) - 200);
    let count = 0;
    let bytes = 0;
    while (count < queue.length && count < MOST_RECORDS) {
      bytes += queue[count]!.bytes;
      if (count > 0 && bytes > most) break;
      count += 1;
    }
    return queue.splice(0, count);
  }

  private async deliver(lane: Lane, batch: readonly Entry[]): Promise<void> {
    const deadline = Date.now() + this.options.settings.deliveryTimeoutMs;
    const messages = packed(
      batch.map(({ message }) => message),
      lane.partition,
    );
    let engine = this.engine();
    let sent = false;
    for (let attempt = 0; ; attempt += 1) {
      let failure: PenstockError;
      let type: string | undefined;
      try {
        await engine.connected;
        sent = true;
        const { topic, partition } = lane;
        const answers = await engine.producer.send({ topic, messages, acks: -1, compression: this.options.compression });
        const answer = answers.find((each) => each.topicName === topic && each.partition === partition);
        if (answer !== undefined && answer.errorCode === 0) {
          this.leave(engine);
          this.acknowledge(lane, batch, Number(answer.baseOffset));
          return;
        }
        // The client resolves for a partition that it does not know of: nothing was sent.
        failure = new PenstockError('PS3001', `the brokers did not answer for ${topic}/${partition}`, { category: 'transient' });
        type = 'UNKNOWN_TOPIC_OR_PARTITION';
      } catch (error) {
        failure = toPenstock(error, `records for ${lane.topic} are not taken`);
        type = protocolType(error);
      }
      const renew = type !== undefined && SEQUENCE.has(type);
      if (failure.category === 'auth' || failure.category === 'permanent') {
        // One that was never let in would say the same for ever.
        if (!(await isUp(engine))) this.retire(engine);
        return this.giveUp(lane, batch, engine, failure, false);
      }
      if (this.closed || Date.now() > deadline) return this.giveUp(lane, batch, engine, failure, sent);
      if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
        try {
          await this.options.missing(lane.topic);
        } catch (error) {
          const reason = toPenstock(error, `topic ${lane.topic} cannot be made`);
          if (reason.category !== 'transient') return this.giveUp(lane, batch, engine, reason, false);
        }
      }
      // A client that has met a topic which is gone asks for it for ever, and fails for all others.
      if (renew || type === 'UNKNOWN_TOPIC_OR_PARTITION' || !(await isUp(engine))) {
        this.retire(engine);
        this.leave(engine);
        engine = this.engine();
      }
      await pause(Math.min(MOST_PAUSE_MS, PAUSE_MS * 2 ** Math.min(attempt, 8)));
    }
  }

  private acknowledge({ topic, partition }: Lane, batch: readonly Entry[], baseOffset: number): void {
    for (const [place, { ticket, index }] of batch.entries()) {
      ticket.positions[index] = { topic, partition, offset: baseOffset + place };
      ticket.open -= 1;
    }
    this.finish(batch);
  }

  /** `uncertain`: the brokers may have it. */
  private giveUp(_lane: Lane, batch: readonly Entry[], engine: Engine, error: PenstockError, uncertain: boolean): void {
    if (uncertain) this.retire(engine);
    this.leave(engine);
    for (const { ticket } of batch) {
      ticket.error ??= error;
      ticket.open -= 1;
    }
    this.finish(batch);
  }

  private finish(batch: readonly Entry[]): void {
    this.out -= batch.length;
    const seen = new Set<Ticket>();
    for (const { ticket } of batch) {
      if (ticket.open > 0 || seen.has(ticket)) continue;
      seen.add(ticket);
      ticket.done(ticket);
    }
    if (this.out === 0) for (const resolve of this.idlers.splice(0)) resolve();
  }

  /** The engine of a new batch: one that is idle, else another, up to `MOST_ENGINES`. The caller leaves it when its batch is settled. */
  private engine(): Engine {
    let best: Engine | undefined;
    for (const engine of this.current) if (best === undefined || engine.users < best.users) best = engine;
    if (best === undefined || (best.users > 0 && this.current.size < MOST_ENGINES)) best = this.makeEngine();
    best.users += 1;
    return best;
  }

  private makeEngine(): Engine {
    const producer = this.options.client().producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: this.options.settings.metadataMaxAgeMs,
      createPartitioner: () => () => 0, // never asked: every send is of one partition
      retry: { retries: 6, initialRetryTime: 50, maxRetryTime: 1000 },
    });
    const connected = producer.connect();
    // Whoever sends meets the failure; nobody may be sending yet.
    connected.catch(() => undefined);
    const engine = { producer, connected, users: 0, retired: false };
    this.engines.add(engine);
    this.current.add(engine);
    return engine;
  }

  private leave(engine: Engine): void {
    engine.users -= 1;
    if (engine.retired && engine.users === 0) void this.disconnect(engine);
  }

  private retire(engine: Engine): void {
    engine.retired = true;
    this.current.delete(engine);
  }

  private async disconnect(engine: Engine): Promise<void> {
    this.engines.delete(engine);
    try {
      await within(engine.producer.disconnect(), 2000);
    } catch {
      // Its connections are broken: that is why it goes.
    }
  }
}

/** Whether the engine's connection was made at all. */
async function isUp({ connected }: Engine): Promise<boolean> {
  try {
    await connected;
    return true;
  } catch {
    return false;
  }
}

function closed(): PenstockError {
  return new PenstockError('PS3001', 'the log is closed', { category: 'transient' });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
