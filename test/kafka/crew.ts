import { expect } from 'vitest';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { LogRecord, Transport } from '../../src/transport/transport.js';
import type { Broker } from '../broker/broker.js';
import { until } from '../transport/collector.js';
import { Worker } from './children.js';
import { pause, times } from './scale.js';
import { QUICK } from './subject.js';

export const PARTITIONS = 6;
const KEYS = 40;

export interface CrewOptions {
  readonly broker: Broker;
  readonly program: string;
  readonly group: string;
  /** The longest that the work on one record takes, in milliseconds. */
  readonly mostMs?: number;
  /** While this file is there, nothing can be delivered. */
  readonly sinkIsDead?: string;
  /** Bytes that each value has at least. */
  readonly valueBytes?: number;
}

/** Worker processes that copy `in` to `out`, somebody who keeps producing, and what must hold at the end. */
export class Crew {
  readonly workers: Worker[] = [];
  readonly gone: Worker[] = [];
  readonly sent: string[] = [];
  /** The longest that all of the crew handed out nothing while there was something, in milliseconds. */
  longestStall = 0;
  private over = false;
  private producing: Promise<void> | undefined;

  private constructor(
    readonly transport: Transport,
    private readonly options: CrewOptions,
  ) {}

  static async gather(options: CrewOptions): Promise<Crew> {
    const transport = await openKafka({ ...QUICK, brokers: options.broker.brokers, metadataMaxAgeMs: 5000, deliveryTimeoutMs: 300_000 });
    await transport.ensureTopics(['in', 'out'].map((name) => ({ name, partitions: PARTITIONS })));
    return new Crew(transport, options);
  }

  async add(): Promise<Worker> {
    const { broker, program, group, mostMs = 10, sinkIsDead = '' } = this.options;
    const worker = new Worker(program, [broker.brokers.join(','), group, `${mostMs}`, sinkIsDead]);
    this.workers.push(worker);
    await worker.ready();
    return worker;
  }

  async kill(index: number): Promise<void> {
    const [worker] = this.workers.splice(index, 1);
    this.gone.push(worker!);
    await worker!.kill();
  }

  async term(index: number): Promise<Worker> {
    const [worker] = this.workers.splice(index, 1);
    this.gone.push(worker!);
    await worker!.term();
    return worker!;
  }

  /** Produces a batch, again and again, until `stopProducing`: numbers that grow within each key. */
  produce(perBatch = 20, everyMs = 10): void {
    const { valueBytes = 0 } = this.options;
    let number = 0;
    this.producing = (async () => {
      while (!this.over) {
        const values = Array.from({ length: perBatch }, () => ({ key: `k${number % KEYS}`, number: number++ }));
        await this.transport.produce(
          values.map(({ key, number: each }) => ({ topic: 'in', key, value: `${key}:${each}`.padEnd(valueBytes) })),
        );
        this.sent.push(...values.map(({ key, number: each }) => `${key}:${each}`));
        this.watch();
        await pause(everyMs);
      }
    })();
  }

  async stopProducing(): Promise<void> {
    this.over = true;
    await this.producing;
  }

  /** Waits until everything is settled; then compares what was sent, what the workers said and what lies in `out`. */
  async reckon(timeoutMs = times(120_000, 600_000)) {
    await until(
      'an empty backlog',
      async () => {
        this.watch();
        await pause(50);
        return (await this.transport.backlog(this.options.group, ['in'])) === 0;
      },
      timeoutMs,
    );
    const copies: LogRecord[] = [];
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      for await (const record of this.transport.read('out', partition)) copies.push(record);
    }
    return reckoning(this.sent, copies, [...this.gone, ...this.workers]);
  }

  async dismiss(): Promise<void> {
    this.over = true;
    await this.producing?.catch(() => undefined);
    for (const worker of this.workers.splice(0)) await worker.kill();
    await this.transport.close();
  }

  private watch(): void {
    const moved = Math.max(0, ...this.workers.map((worker) => worker.movedAt), ...this.gone.map((worker) => worker.movedAt));
    if (moved > 0) this.longestStall = Math.max(this.longestStall, Date.now() - moved);
  }
}

/** What was lost; what lies there twice although its first copy was durably settled; what came out of its key's order at its first copy. */
function reckoning(sent: readonly string[], copies: readonly LogRecord[], workers: readonly Worker[]) {
  const counts = new Map<string, number>();
  const last = new Map<string, number>();
  let disorder = 0;
  for (const { value, key } of copies) {
    const text = value!.toString().trimEnd();
    const before = counts.get(text) ?? 0;
    counts.set(text, before + 1);
    if (before > 0) continue;
    const number = Number(text.split(':')[1]);
    if (number < (last.get(key!.toString()) ?? -1)) disorder += 1;
    last.set(key!.toString(), number);
  }
  const finished = new Map<string, number>();
  for (const worker of workers) for (const value of worker.settled) finished.set(value, (finished.get(value) ?? 0) + 1);
  return {
    sent: sent.length,
    lost: sent.filter((value) => !counts.has(value)).length,
    /** Copies beyond the first: work that was not finished when its worker was lost. */
    repeated: [...counts.values()].reduce((sum, count) => sum + count - 1, 0),
    /** Durably settled by two: finished work that was done again. */
    finishedTwice: [...finished.values()].filter((count) => count > 1).length,
    disorder,
  };
}

/** Nothing lost, nothing finished done again, order per key kept. */
export function expectWhole(found: Awaited<ReturnType<Crew['reckon']>>): void {
  expect({ lost: found.lost, finishedTwice: found.finishedTwice, disorder: found.disorder }).toEqual({
    lost: 0,
    finishedTwice: 0,
    disorder: 0,
  });
}
