import { identity, type MonoTypeOperatorFunction } from 'rxjs';
import { callEach, type Delivery, filtered, filterOut, perMessage, tapEach } from '../../operators/index.js';
import { writeLanes, xactWorker } from '../../src/domains/xact/workers/shell.js';
import { BUILT_IN_FILTERS } from '../../src/runtime/built-in-filters.js';
import { decode } from '../../src/runtime/decode.js';
import type { Item } from '../../src/runtime/item.js';
import { RetryOrder } from '../../src/runtime/retry-order.js';
import { mark, send } from '../../src/runtime/sink.js';
import { type TableRow, tableWriter } from '../../src/runtime/table-writer.js';
import { outputRecord, readMessage, type SimulatedMessage, type SimulatedWorker } from '../../src/testing/simulation/index.js';
import type { MemoryTable } from '../storage/memory-table.js';

export interface TableWorkerOptions {
  /** All processes of a run write it. */
  readonly table: MemoryTable;
  readonly lanes: 'across_retries' | 'in_flight' | 'none';
}

interface Row extends Item<SimulatedMessage>, TableRow {}

/** How long a delivered message is remembered, in virtual milliseconds: longer than any run. */
const REMEMBERED_MS = 3_600_000;

/** A worker as those that write tables are made: its rows are in the order of offsets, each in the table once. */
export function tableWorker({ table, lanes }: TableWorkerOptions): SimulatedWorker {
  return (parts) => {
    const { name, signal, sink, output, seen, seenStore, concurrency } = parts;
    const writer = tableWriter({
      tables: { things: table },
      appId: (topic, partition) => `${topic}/${partition}`,
      flushMs: 3,
      backoff: { baseMs: 2, capMs: 8 },
    });
    signal.addEventListener('abort', () => writer.drain(), { once: true });
    parts.onLost((topic, partition) => writer.lost(topic, partition));
    const store = `${name}.parked`;
    const retryOrder = new RetryOrder({ group: name, marks: parts.marks(store), store });
    const options = lanes === 'across_retries' ? { ...parts, retryOrder } : parts;
    const ordered: MonoTypeOperatorFunction<Delivery<Item<SimulatedMessage>>> =
      lanes === 'none' ? identity : writeLanes(name, options, (item) => item.message.key);
    return xactWorker(name, options, {
      describe: (message) => {
        const { trace_id: traceId } = message as SimulatedMessage;
        return { traceId, about: { trace_id: traceId } };
      },
      steps: (records$) => {
        const worked$ = records$.pipe(
          writer.track(),
          decode({ group: name, read: readMessage }),
          ordered,
          filterOut((item) => item.message.unwanted, 'unwanted'),
          perMessage<Item<SimulatedMessage>>(
            () => (item, delivery) => (seen.has(item.message.trace_id, Date.now()) ? filtered(BUILT_IN_FILTERS.duplicate) : delivery),
          ),
          callEach((item) => parts.handle(item), { concurrency, order: 'none' }),
        );
        return worked$.pipe(
          send(sink, (item) => [outputRecord(output, item.message)]),
          tapEach((item, delivery) => mark(delivery, seenStore, item.message.trace_id, Date.now() + REMEMBERED_MS)),
          perMessage<Item<SimulatedMessage>, Row>(
            () => (item, delivery) => delivery.with({ ...item, table: 'things', row: { id: item.message.letter, key: item.message.key } }),
          ),
          writer.write(),
        );
      },
    });
  };
}
