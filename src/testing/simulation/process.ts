import { asyncScheduler, Observable, type Subscription } from 'rxjs';
import { type Delivery, openDelivery } from '../../../operators/index.js';
import { PenstockError } from '../../diagnostics/index.js';
import { xactRetry } from '../../domains/xact/workers/xact-retry.js';
import type { Item } from '../../runtime/item.js';
import { retryCountOf } from '../../runtime/retry-policy.js';
import { carrySink } from '../../runtime/sink.js';
import type { Settled } from '../../runtime/worker.js';
import type { LogStore } from '../../transport/log-store.js';
import { StoreTransport } from '../../transport/store-transport.js';
import type { Assignment, Consumer, LogRecord, Transport } from '../../transport/transport.js';
import type { Line } from './line.js';
import type { Rules } from './rules.js';
import { RETRY_DELAYS_MS, type Scenario } from './scenario.js';
import type { SimulatedMessage, SimulatedWorker } from './simulated-worker.js';
import { INPUT, OUTPUT, RETRIES, RETRY_GROUP, WORKER_GROUP } from './topics.js';
import { type Place, type Witness } from './witness.js';

export interface ProcessOptions {
  readonly name: string;
  readonly scenario: Scenario;
  readonly line: Line;
  readonly rules: Rules;
  readonly witness: Witness;
  readonly worker: SimulatedWorker;
  /** Stands between the process and its line: for tests of the simulation itself. */
  readonly store: (store: LogStore) => LogStore;
  readonly transport: (transport: Transport) => Transport;
}

const SEEN = 'simulated.delivered';

/** A released record waits so long; a partition may be finished so long before it goes; a failed write is tried again after so long: in milliseconds. */
const TIMES = { releaseMs: 8, handoverMs: 10, retryMs: 5 };

/** One simulated process: a worker, and the worker that brings back what was retried, over a line to the log of their own. */
export class SimulatedProcess {
  readonly name: string;
  private readonly transport: Transport;
  private readonly consumers: Consumer[] = [];
  private readonly draining = new AbortController();
  private readonly subscriptions: Subscription[] = [];
  private readonly lostListeners: ((topic: string, partition: number) => void)[] = [];
  private readonly watchedAssignments = new WeakSet<AbortSignal>();
  private running = 0;
  private drained = false;

  constructor(private readonly options: ProcessOptions) {
    const { name, line, witness } = options;
    this.name = name;
    let members = 0;
    this.transport = options.transport(
      new StoreTransport({
        name: 'simulated',
        capabilities: { atomicCommit: true, durable: true, shared: true },
        store: options.store(line),
        clock: asyncScheduler,
        ...TIMES,
        nameMember: () => `${name}.${members++}`,
        onWarning: (error) => witness.breaks('law', `${name} warns: ${error.message}: ${String(error.cause)}`),
      }),
    );
  }

  /** Whether both workers have ended by themselves. */
  get isOver(): boolean {
    return this.drained;
  }

  start(): void {
    const { scenario, worker } = this.options;
    this.run(WORKER_GROUP, [INPUT], (source) =>
      worker({
        name: WORKER_GROUP,
        source,
        signal: this.draining.signal,
        sink: carrySink,
        output: OUTPUT,
        retryDelaysMs: RETRY_DELAYS_MS,
        concurrency: scenario.concurrency,
        seen: this.transport.marks(SEEN, { capacity: 10_000 }),
        seenStore: SEEN,
        marks: (store) => this.transport.marks(store, { capacity: 10_000 }),
        handle: (item) => this.handle(item),
        produce: (records) => this.transport.produce(records),
        onLost: (listener) => this.lostListeners.push(listener),
      }),
    );
    this.run(RETRY_GROUP, RETRIES, (source) =>
      xactRetry({ source, signal: this.draining.signal, sink: carrySink, retryDelaysMs: RETRY_DELAYS_MS }),
    );
  }

  /** Takes nothing more, finishes what is in flight, and ends. */
  drain(): void {
    this.draining.abort();
    void Promise.all(this.consumers.map((consumer) => consumer.drain())).then(() => {
      this.drained = this.running === 0;
    });
  }

  /** Vanishes with everything that it has not settled. */
  crash(): void {
    this.options.rules.crashed(this.name);
    this.options.line.break();
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  private run(group: string, topics: readonly string[], mount: (source: Observable<Delivery<LogRecord>>) => Observable<Settled>): void {
    const { rules, witness, scenario } = this.options;
    const consumer = this.transport.consume({ topics, group, credits: { count: scenario.credits, bytes: 1_000_000 } });
    this.consumers.push(consumer);
    this.running += 1;
    this.subscriptions.push(
      mount(this.watched(group, consumer)).subscribe({
        next: (settled) => rules.told(this.name, group, settled),
        error: (error: unknown) => witness.breaks('law', `${this.name}'s ${group} ended by an error: ${String(error)}`),
        complete: () => {
          this.running -= 1;
        },
      }),
    );
  }

  /** What the consumer hands out, each under a claim that tells the rules how it ends. */
  private watched(group: string, consumer: Consumer): Observable<Delivery<LogRecord>> {
    const { rules } = this.options;
    return new Observable((subscriber) =>
      consumer.deliveries$.subscribe({
        next: (outer) => {
          const { topic, partition, offset } = outer.value;
          const assigned = consumer.state().assigned.find((one) => one.topic === topic && one.partition === partition);
          if (group === WORKER_GROUP && assigned !== undefined) this.watchLost(assigned);
          const place: Place = { topic, partition, offset };
          const handOut = rules.handedOut({ process: this.name, group, place, epoch: assigned?.epoch ?? -1 });
          const inner = openDelivery(outer.value, outer.origin, {
            settled: (ending, confirm) => {
              rules.ended(handOut, ending.outcome, ending.reason);
              for (const item of ending.carried) outer.carry(item);
              outer.whenSettled((outcome) => {
                rules.left(handOut, outcome);
                confirm(outcome);
              });
              outer.settle(ending.outcome, ending.reason);
            },
            failed: (_error, delivery) => delivery.settle('released', 'failed'),
          });
          // A partition that is taken away ends the claim from outside.
          outer.whenSettled((outcome, reason) => {
            rules.left(handOut, outcome);
            inner.settle(outcome, reason);
          });
          subscriber.next(inner);
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
  }

  private watchLost({ topic, partition, lost }: Assignment): void {
    if (this.watchedAssignments.has(lost)) return;
    this.watchedAssignments.add(lost);
    lost.addEventListener('abort', () => this.lostListeners.forEach((listener) => listener(topic, partition)), { once: true });
  }

  private handle({ record, headers, message }: Item<SimulatedMessage>): void | Promise<void> {
    const { rules, witness } = this.options;
    rules.began(this.name, { topic: record.topic, partition: record.partition, offset: record.offset });
    const deeds = witness.message(message.letter)!.deeds;
    const { kind, ms } = deeds[Math.min(retryCountOf(headers), deeds.length - 1)]!;
    const act = (): void => {
      if (kind === 'answer') return;
      const category = kind === 'fail' ? 'transient' : 'permanent';
      throw new PenstockError('PS4101', `${message.letter} is ${kind === 'fail' ? 'not done' : 'refused'}`, { category });
    };
    if (ms === 0) return act();
    return new Promise<void>((resolve) => {
      setTimeout(resolve, ms);
    }).then(act);
  }
}
