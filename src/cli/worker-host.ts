import { finalize, merge, Observable, type Subscription } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { PenstockError } from '../diagnostics/index.js';
import {
  boundedLog,
  type Doors,
  type Health,
  type Logger,
  type Metrics,
  watchCommits,
  watchConsumer,
  type WorkerMeter,
  workerMeter,
} from '../observe/index.js';
import { isBuiltInFilter } from '../runtime/built-in-filters.js';
import { supervise } from '../runtime/supervisor.js';
import type { Settled } from '../runtime/worker.js';
import type { Assignment, Consumer, LogRecord, Transport } from '../transport/transport.js';
import { type FaultSources, faultOf, watchFaults } from './worker-faults.js';

export interface WorkerHostOptions {
  readonly name: string;
  /** One consumer of the worker's group for each list of topics. */
  readonly topics: readonly (readonly string[])[];
  readonly transport: Transport;
  readonly credits: { readonly count: number; readonly bytes: number };
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  /** Makes the worker over a source; called anew for each start. */
  readonly build: (source: Observable<Delivery<LogRecord>>, signal: AbortSignal) => BuiltWorker;
}

export interface BuiltWorker {
  readonly settled$: Observable<Settled>;
  /** Told that the worker drains. */
  drain?(): void;
  /** Told that a partition went to another member. */
  lost?(topic: string, partition: number): void;
  /** Why it cannot write at the moment; nothing when it can. */
  fault?(): unknown;
  /** What it waits for, for the drain that runs out of time. */
  waitingFor?(): readonly string[];
}

/** One worker as it runs: consumers, restarts, counting, drain. */
export interface WorkerHost {
  readonly name: string;
  start(): void;
  /** Takes nothing more; resolves when everything in flight has left. Idempotent. */
  drain(): Promise<void>;
  /** Gives back what is in flight, at once, and says what it was. */
  stop(): readonly string[];
  doors(): Doors;
  readonly meter: WorkerMeter;
  inFlight(): number;
  /** Why it stopped for good, where it did. */
  stopped(): unknown;
  /** Stops the worker: a plugin asked for it. */
  halt(error: unknown): void;
  backlog(): Promise<number>;
}

export function workerHost(options: WorkerHostOptions): WorkerHost {
  const { name, topics, transport, credits, log, metrics, health, build } = options;
  const meter = workerMeter(metrics, name);
  const said = boundedLog(log, { onSuppressed: () => metrics.counter('penstock_log_lines_suppressed_total', { logger: name }).add() });
  const draining = new AbortController();
  const inFlight = new Map<Delivery<LogRecord>, number>();
  let consumers: readonly Consumer[] = [];
  let built: BuiltWorker | undefined;
  let subscription: Subscription | undefined;
  let losses: LossWatch | undefined;
  let stopped: unknown;
  let ended: Promise<void> = Promise.resolve();

  const faults: FaultSources = {
    consumers: () => consumers.map((consumer) => consumer.state()),
    writer: () => built?.fault?.(),
  };

  const counted = (source: Observable<Delivery<LogRecord>>): Observable<Delivery<LogRecord>> =>
    new Observable((subscriber) =>
      source.subscribe({
        next: (delivery) => {
          meter.entered();
          losses?.handedOut(delivery);
          inFlight.set(delivery, Date.now());
          delivery.whenSettled((outcome, reason) => {
            meter.took('delivery', Date.now() - (inFlight.get(delivery) ?? Date.now()));
            inFlight.delete(delivery);
            meter.left(outcome);
            if (outcome === 'filtered' && isBuiltInFilter(reason))
              said.write('info', reason!, 'filtered', { event_id: delivery.origin?.key, reason });
          });
          subscriber.next(delivery);
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );

  const begin = (): Observable<Settled> => {
    consumers = topics.map((names) => transport.consume({ topics: names, group: name, credits }));
    const unwatch = [
      ...consumers.map((consumer) => watchConsumer(metrics, name, consumer)),
      watchCommits(metrics, name, consumers, credits),
    ];
    const source = merge(...consumers.map((consumer) => consumer.deliveries$));
    built = build(counted(source), draining.signal);
    const { lost } = built;
    losses = lost === undefined ? undefined : new LossWatch(consumers, lost);
    const unwatchFaults = watchFaults(faults, log);
    return built.settled$.pipe(
      finalize(() => {
        unwatchFaults();
        for (const stop of unwatch) stop();
      }),
    );
  };

  const host: WorkerHost = {
    name,
    meter,
    doors: () => meter.doors(),
    inFlight: () => inFlight.size,
    stopped: () => stopped,
    start() {
      health.readiness(name, () => (stopped === undefined ? faultOf(faults) : 'stopped'));
      ended = new Promise((resolve) => {
        const settled$ = supervise(begin, {
          signal: draining.signal,
          onRestart: (error, failures, pauseMs) =>
            log.error('the worker ended by an error and is started again', { error: String(error), failures, pause_ms: pauseMs }),
        });
        subscription = settled$.subscribe({
          error: (error: unknown) => {
            stopped = error;
            log.error('the worker has stopped', { error: String(error) });
            resolve();
          },
          complete: () => resolve(),
        });
        subscription.add(resolve);
      });
    },
    async drain() {
      if (!draining.signal.aborted) {
        draining.abort();
        built?.drain?.();
        for (const consumer of consumers)
          consumer.drain().catch((error: unknown) => log.error('the consumer did not drain', { error: String(error) }));
      }
      await ended;
    },
    stop() {
      const now = Date.now();
      const stuck = [...inFlight].map(
        ([{ origin }, since]) => `${origin?.topic}[${origin?.partition}]@${origin?.offset} since ${Math.round((now - since) / 1000)} s`,
      );
      draining.abort();
      subscription?.unsubscribe();
      return [...stuck, ...(built?.waitingFor?.() ?? [])];
    },
    halt(error) {
      if (stopped !== undefined) return;
      stopped = error;
      log.error('the worker stops: a plugin whose on_error is stop has failed', { error: String(error) });
      void host.drain();
    },
    async backlog() {
      if (stopped !== undefined) throw new PenstockError('PS4001', `worker ${name} has stopped: ${String(stopped)}`, { cause: stopped });
      return transport.backlog(name, topics.flat());
    },
  };
  return host;
}

/** Tells of each assignment that is taken away after it has handed something out, however soon. */
class LossWatch {
  private readonly known = new Map<string, Map<number, AbortSignal>>();

  constructor(
    private readonly consumers: readonly Consumer[],
    private readonly lost: (topic: string, partition: number) => void,
  ) {}

  handedOut({ origin }: Delivery<LogRecord>): void {
    if (origin === undefined || this.known.get(origin.topic)?.get(origin.partition)?.aborted === false) return;
    for (const consumer of this.consumers) for (const assignment of consumer.state().assigned) this.meet(assignment);
  }

  private meet({ topic, partition, lost: signal }: Assignment): void {
    const partitions = this.known.get(topic) ?? new Map<number, AbortSignal>();
    this.known.set(topic, partitions);
    if (partitions.get(partition) === signal) return;
    partitions.set(partition, signal);
    signal.addEventListener('abort', () => this.lost(topic, partition), { once: true });
  }
}
