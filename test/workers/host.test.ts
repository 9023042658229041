import { ignoreElements, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Delivery, openDelivery } from '../../operators/index.js';
import { workerHost, type WorkerHost } from '../../src/cli/worker-host.js';
import { INGESTED_MARKS, xactEventIngester } from '../../src/domains/xact/workers/xact-event-ingester.js';
import { createHealth, createLogger, createMetrics } from '../../src/observe/index.js';
import { carrySink } from '../../src/runtime/sink.js';
import { chainWith, defineOpenPlugin, messages } from '../../src/plugin/index.js';
import { originOf } from '../../src/transport/origin.js';
import type { Assignment, Consumer, LogRecord, Transport } from '../../src/transport/transport.js';
import { until } from '../transport/collector.js';
import { HOST, rawEvent } from './messages.js';
import { type WorkerBench, workerBench } from './worker-bench.js';

type Call = (eventId: string) => void | Promise<void>;

function host(
  bench: WorkerBench,
  call: Call,
  onStop: (error: unknown) => void = () => undefined,
): { readonly host: WorkerHost; readonly lines: string[] } {
  const lines: string[] = [];
  const plugin = defineOpenPlugin({
    name: 'strict',
    version: '1.0.0',
    summary: 'Does what a test says.',
    reads: messages<unknown>(),
    create: () => (context) => call(context.event_id) as undefined,
  });
  const stopping = chainWith({ onStop: (_plugin, error) => onStop(error) }, plugin({}, { onError: 'stop', timeoutMs: 60_000 }));
  const made = workerHost({
    name: 'xact-event-ingester',
    topics: [['xact.events.raw']],
    transport: bench.transport,
    credits: { count: 10, bytes: 1024 * 1024 },
    log: createLogger({ format: 'json', stream: { write: (line: string) => lines.push(line) } }),
    metrics: createMetrics(),
    health: createHealth(),
    build: (source, signal) => ({
      settled$: xactEventIngester({
        source,
        signal,
        sink: carrySink,
        urls: { allowedHosts: [HOST] },
        seen: bench.transport.marks(INGESTED_MARKS, { capacity: 100 }),
        chains: { event_ingest: stopping },
      }),
    }),
  });
  return { host: made, lines };
}

describe('a worker as it runs', () => {
  it('on_error: stop halts its worker, commits nothing past the delivery and says why', async () => {
    const bench = await workerBench();
    const { host: running, lines } = host(
      bench,
      (id) => {
        if (id === 't2') throw new Error('this must not go on');
      },
      (error) => running.halt(error),
    );
    running.start();
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t2'));
    await until('the worker to stop', () => running.stopped() !== undefined);
    await running.drain();
    expect(running.inFlight()).toBe(0);
    expect(String(running.stopped())).toContain('this must not go on');
    expect(lines.join('')).toMatch(/"level":"error".*this must not go on/);
    expect(await bench.transport.committed('xact-event-ingester', 'xact.events.raw')).toEqual([{ partition: 0, offset: 1 }]);
    await bench.send('xact.events', rawEvent('t3'));
    await expect(running.backlog()).rejects.toThrow(/has stopped/);
    expect(await bench.read('xact.downloads_pending')).toHaveLength(1);
    const { entered, left } = running.doors();
    expect(entered).toBe(Object.values(left).reduce((sum, count) => sum + count, 0));
  });

  it('L8, G9: a drain that is stuck names each delivery, and stopping gives them back; both may be asked twice', async () => {
    const bench = await workerBench();
    const { host: running } = host(bench, (id) => (id === 't2' ? new Promise(() => undefined) : undefined));
    running.start();
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t2'));
    await until('one to be stuck', () => running.inFlight() === 1 && running.doors().left.delivered === 1);
    const drained = running.drain();
    expect(running.stop()).toEqual(['xact.events.raw[0]@1 since 0 s']);
    await drained;
    await running.drain();
    expect(running.stop()).toEqual([]);
    expect(running.doors()).toMatchObject({ entered: 2, left: { delivered: 1, released: 1 } });
    expect(await bench.transport.backlog('xact-event-ingester', ['xact.events.raw'])).toBe(1);
  });

  it('L5: is told of every partition that is taken away after it has handed something out, however soon', () => {
    const deliveries$ = new Subject<Delivery<LogRecord>>();
    let assigned: readonly Assignment[] = [];
    const consumer: Partial<Consumer> = {
      deliveries$,
      state: () => ({ inFlight: 0, inFlightBytes: 0, assigned, paused: 0, lag: 0, fault: undefined }),
    };
    const told: string[] = [];
    const made = workerHost({
      name: 'xact-delta-events',
      topics: [['in']],
      transport: { consume: () => consumer } as Partial<Transport> as Transport,
      credits: { count: 10, bytes: 1024 },
      log: createLogger({ format: 'json', stream: { write: () => undefined } }),
      metrics: createMetrics(),
      health: createHealth(),
      build: (source) => ({
        settled$: source.pipe(ignoreElements()),
        lost: (topic, partition) => told.push(`${topic}/${partition} after ${made.inFlight()}`),
      }),
    });
    made.start();
    for (let epoch = 1; epoch <= 2; epoch += 1) {
      const [one, other] = [new AbortController(), new AbortController()];
      assigned = [one, other].map(({ signal }, partition) => ({ topic: 'in', partition, epoch, lost: signal }));
      const record: LogRecord = { topic: 'in', partition: 0, offset: epoch, key: null, value: null, headers: [], timestamp: 0 };
      deliveries$.next(openDelivery(record, originOf(record), { settled: () => undefined, failed: () => undefined }));
      one.abort();
    }
    made.stop();
    expect(told).toEqual(['in/0 after 1', 'in/0 after 2']);
  });
});
