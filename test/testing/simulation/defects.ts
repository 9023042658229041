import { catchError, defer, EMPTY, map, mergeMap, type Observable } from 'rxjs';
import { callEach, type Delivery, filterOut, filtered, inLanes, type Origin, perMessage, tapEach } from '../../../operators/index.js';
import type { Item } from '../../../src/runtime/item.js';
import { decode } from '../../../src/runtime/decode.js';
import { type Failure, worker } from '../../../src/runtime/worker.js';
import {
  outputRecord,
  readMessage,
  simulatedSteps,
  simulatedWorker,
  type SimulatedMessage,
  type SimulatedParts,
  type SimulatedWorker,
  type SimulationOptions,
} from '../../../src/testing/simulation/index.js';
import type { LogStore, WriteUnit } from '../../../src/transport/log-store.js';
import { decodeRanges } from '../../../src/transport/ranges.js';
import type { LogRecord, NewRecord, Transport } from '../../../src/transport/transport.js';

/** A planted defect, and the rules that may break by it. */
export interface Defect {
  readonly name: string;
  readonly rules: readonly string[];
  /** Made anew for each run: some remember something of all processes. */
  readonly plant: () => Omit<SimulationOptions, 'seed'>;
}

/** A store with some of its methods replaced. */
function withMethods(store: LogStore, methods: Partial<LogStore>): LogStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function' ? (value.bind(name in methods ? methods : target) as unknown) : value;
    },
  });
}

/** A log whose writes are changed on the way. */
function writes(change: (unit: WriteUnit, store: LogStore) => WriteUnit) {
  return (store: LogStore) => withMethods(store, { write: (units) => store.write(units.map((unit) => change(unit, store))) });
}

/** A log that writes in two transactions what belongs together. */
function halves(first: (unit: WriteUnit) => WriteUnit, second: (unit: WriteUnit) => WriteUnit) {
  return (store: LogStore) =>
    withMethods(store, {
      write: async (units) => {
        await store.write(units.map(first));
        return store.write(units.map(second));
      },
    });
}

const steps =
  (
    change: (records$: Observable<Delivery<Item<SimulatedMessage>>>, parts: SimulatedParts) => Observable<Delivery<Item<SimulatedMessage>>>,
  ) =>
  (parts: SimulatedParts) =>
  (records$: Observable<Delivery<LogRecord>>): Observable<Delivery<unknown>> =>
    change(records$.pipe(decode({ group: parts.name, read: readMessage })), parts).pipe(
      tapEach((item, delivery) => delivery.carry({ kind: 'produce', record: outputRecord(parts.output, item.message) })),
    );

/** A worker that dead-letters what fails and otherwise does as its steps say. */
const bare =
  (made: ReturnType<typeof steps>): SimulatedWorker =>
  (parts) =>
    worker<LogRecord>({
      ...parts,
      steps: made(parts),
      failures: tapEach<Failure>(({ error }, delivery) => {
        delivery.carry({ kind: 'produce', record: deadLetter(delivery.origin!, error) });
        delivery.settle('dead_lettered');
      }),
    });

function deadLetter({ topic, partition, offset }: Pick<Origin, 'topic' | 'partition' | 'offset'>, error: unknown): NewRecord {
  const value = {
    reason: 'failed',
    original_topic: topic,
    original_partition: partition,
    original_offset: offset,
    final_error: String(error),
  };
  return { topic: 'xact.dlq', key: null, value: JSON.stringify(value) };
}

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export const DEFECTS: readonly Defect[] = [
  {
    name: 'progress moves past a gap',
    rules: ['commit', 'lost'],
    plant: () => ({
      store: writes((unit) => {
        if (unit.progress === undefined) return unit;
        const { offset, beyond } = unit.progress;
        const end = decodeRanges(beyond, offset).at(-1)?.[1] ?? offset;
        return { ...unit, progress: { offset: end, beyond: new Uint8Array(0) } };
      }),
    }),
  },
  {
    name: 'progress moves to what was fetched',
    rules: ['commit', 'lost'],
    plant: () => ({
      store: writes((unit, store) => {
        if (unit.lease === undefined || unit.progress === undefined) return unit;
        const offset = store.end(unit.lease.topic, unit.lease.partition);
        return { ...unit, progress: { offset, beyond: new Uint8Array(0) } };
      }),
    }),
  },
  {
    name: 'progress is written before the records that it stands for',
    rules: ['lost'],
    plant: () => ({
      store: halves(
        (unit) => ({ ...unit, records: [], marks: [] }),
        (unit) => ({ ...unit, lease: undefined, progress: undefined }),
      ),
    }),
  },
  {
    name: 'marks are written before the records',
    rules: ['lost'],
    plant: () => ({
      store: halves(
        (unit) => ({ ...unit, lease: undefined, progress: undefined, records: [] }),
        (unit) => ({ ...unit, marks: [] }),
      ),
    }),
  },
  {
    name: 'a member that lost its lease commits all the same',
    rules: ['commit', 'repeated', 'law'],
    plant: () => {
      const leases = new Map<string, { readonly member: string; readonly epoch: number }>();
      return {
        store: (store) =>
          withMethods(store, {
            beat: async (beat) => {
              const answer = await store.beat(beat);
              for (const { topic, partition, epoch } of answer.granted) {
                leases.set(`${beat.group} ${topic} ${partition}`, { member: beat.member, epoch });
              }
              return answer;
            },
            write: (units) =>
              store.write(
                units.map((unit) => {
                  if (unit.lease === undefined) return unit;
                  const { group, topic, partition } = unit.lease;
                  return { ...unit, lease: { ...unit.lease, ...leases.get(`${group} ${topic} ${partition}`) } };
                }),
              ),
          }),
      };
    },
  },
  {
    name: 'what left out of order is forgotten at a restart',
    rules: ['repeated', 'order'],
    plant: () => ({
      store: writes((unit) =>
        unit.progress === undefined ? unit : { ...unit, progress: { ...unit.progress, beyond: new Uint8Array(0) } },
      ),
    }),
  },
  {
    name: 'credits are not counted',
    rules: ['bounded'],
    plant: () => ({
      transport: (transport) =>
        new Proxy(transport, {
          get: (target, name): unknown => {
            if (name === 'consume') {
              return (options: Parameters<Transport['consume']>[0]) => target.consume({ ...options, credits: { count: 1000, bytes: 1e9 } });
            }
            const value: unknown = Reflect.get(target, name);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          },
        }),
    }),
  },
  {
    name: 'a throw loses the claim',
    rules: ['lost'],
    plant: () => ({
      duplicates: false,
      worker: bare(
        steps((items$, { handle }) =>
          items$.pipe(
            inLanes({ key: (item) => item.message.key }),
            mergeMap((delivery) =>
              defer(async () => handle(delivery.value)).pipe(
                map(() => delivery),
                catchError(() => EMPTY),
              ),
            ),
          ),
        ),
      ),
    }),
  },
  {
    name: 'a retry in memory does not hold its key back',
    rules: ['order', 'verdict'],
    plant: () => ({
      duplicates: false,
      worker: bare(
        steps((items$, { handle }) =>
          items$.pipe(
            callEach(
              async (item) => {
                try {
                  await handle(item);
                } catch {
                  await later(5);
                  await handle(item);
                }
              },
              { concurrency: 16, order: 'none' },
            ),
          ),
        ),
      ),
    }),
  },
  {
    name: 'what fails is given back again and again',
    rules: ['rest', 'order'],
    plant: () => ({
      worker: (parts) =>
        worker<LogRecord>({
          ...parts,
          steps: simulatedSteps(parts),
          failures: tapEach<Failure>((_failure, delivery) => delivery.settle('released')),
        }),
    }),
  },
  {
    name: 'a failed item leaves by two doors',
    rules: ['law'],
    plant: () => ({
      worker: (parts) =>
        simulatedWorker({
          ...parts,
          handle: async (item) => {
            try {
              await parts.handle(item);
            } catch (error) {
              await parts.produce([deadLetter(item.record, error)]);
            }
          },
        }),
    }),
  },
  {
    name: 'a worker says twice how a delivery left',
    rules: ['law'],
    plant: () => ({ worker: (parts) => simulatedWorker(parts).pipe(mergeMap((settled) => [settled, settled])) }),
  },
  {
    name: 'a worker says another door than the log has',
    rules: ['law'],
    plant: () => ({ worker: (parts) => simulatedWorker(parts).pipe(map((settled) => ({ ...settled, outcome: 'delivered' as const }))) }),
  },
  {
    name: 'duplicates are remembered in the process alone',
    rules: ['repeated', 'lost'],
    plant: () => ({
      worker: (parts) => {
        const seen = new Set<string>();
        const memory = { has: (key: string) => seen.has(key), get: () => undefined, stats: () => ({ size: seen.size, evicted: 0 }) };
        return simulatedWorker({
          ...parts,
          seen: memory,
          handle: async (item) => {
            await parts.handle(item);
            seen.add(item.message.trace_id);
          },
        });
      },
    }),
  },
  {
    name: 'every failure is taken for a passing one',
    rules: ['verdict'],
    plant: () => ({
      worker: (parts) =>
        simulatedWorker({
          ...parts,
          handle: async (item) => {
            try {
              await parts.handle(item);
            } catch (cause) {
              throw Object.assign(new Error('it will pass', { cause }), { category: 'transient' });
            }
          },
        }),
    }),
  },
  {
    name: 'what nobody wanted is filtered, and what is wanted as well',
    rules: ['lost', 'verdict'],
    plant: () => ({
      worker: (parts) =>
        worker<LogRecord>({
          ...parts,
          steps: (records$) =>
            simulatedSteps(parts)(
              records$.pipe(perMessage(() => (_record, delivery) => (_record.offset === 2 ? filtered('two') : delivery))),
            ),
          failures: filterOut(() => true, 'failed'),
        }),
    }),
  },
  {
    name: 'a drain forgets what is in flight',
    rules: ['lost'],
    plant: () => ({
      worker: (parts) =>
        simulatedWorker({ ...parts, handle: (item) => (parts.signal.aborted ? new Promise(() => undefined) : parts.handle(item)) }),
    }),
  },
];
