import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mergeMap, Subject } from 'rxjs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Delivery, mapEach, openDelivery, type Outcome } from '../../operators/index.js';
import { PenstockError } from '../../src/diagnostics/index.js';
import { checkLogEnds, type TableRow, tableWriter } from '../../src/runtime/table-writer.js';
import { MemoryTable } from './memory-table.js';
import { openTable, parquetEncoder, type TableSchema } from '../../src/storage/delta/index.js';

const encoder = parquetEncoder({ run: 'here' });
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-writer-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const schema: TableSchema = {
  name: 'events',
  about: 'Events.',
  columns: [{ name: 'id', type: 'int64', about: 'Which.' }],
  partitionBy: [],
  mode: 'append',
  key: [],
  preserveOnUpdate: [],
};

/** Hands out offsets of one partition to a writer; its claims are durable at once. */
async function run(
  offsets: readonly number[],
): Promise<{ readonly left: readonly (readonly [number, Outcome])[]; readonly ids: readonly unknown[] }> {
  const table = await openTable({ directory, schema, encoder });
  const writer = tableWriter({ tables: { events: table }, appId: (topic, partition) => `log/${topic}/${String(partition)}`, flushMs: 5 });
  const left: [number, Outcome][] = [];
  const deliveries$ = new Subject<Delivery<number>>();
  const done = new Promise<void>((resolve, reject) => {
    deliveries$
      .pipe(
        writer.track(),
        mapEach((id): TableRow => ({ table: 'events', row: { id } })),
        writer.write(),
      )
      .subscribe({ complete: resolve, error: reject });
  });
  for (const offset of offsets) {
    const origin = { topic: 't', partition: 0, offset, key: undefined, headers: {}, timestamp: 0 };
    deliveries$.next(
      openDelivery(offset, origin, {
        settled: ({ outcome }, confirm) => {
          left.push([offset, outcome]);
          confirm(outcome);
        },
        failed: (_error, failed) => failed.settle('dead_lettered'),
      }),
    );
  }
  deliveries$.complete();
  await done;
  const ids: unknown[] = [];
  for await (const row of table.rows()) ids.push(row['id']);
  await table.close();
  return { left, ids };
}

describe('a table writer over a real table', () => {
  it('A4: writes what came in once, however often it comes again', async () => {
    expect(await run([0, 1, 2, 3, 4])).toEqual({ left: [0, 1, 2, 3, 4].map((offset) => [offset, 'delivered']), ids: [0, 1, 2, 3, 4] });
    const again = await run([2, 3, 4, 5, 6]);
    expect(again.left).toEqual([2, 3, 4, 5, 6].map((offset) => [offset, 'delivered']));
    expect(again.ids).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

/** What becomes of a record on its way, and how long that takes. */
interface Fate {
  readonly kind: 'row' | 'rows' | 'filtered' | 'retried' | 'unfit' | 'poison';
  readonly gapMs: number;
  readonly stepMs: number;
  readonly doorMs: number;
}
type Fault = 'none' | 'fails' | 'answer lost';

const ROWS: Readonly<Record<Fate['kind'], number>> = { row: 1, rows: 3, filtered: 0, retried: 0, unfit: 0, poison: 0 };

/** A log of two partitions that outlives its readers, and a table that does too. */
class World {
  readonly durable = new Map<string, Outcome>();
  readonly violations: string[] = [];
  private readonly faults: Fault[];
  readonly table = new MemoryTable({
    before: async ({ rows }) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (rows.some(({ id }) => String(id).includes('poison'))) throw new PenstockError('PS4108', 'poison', { category: 'permanent' });
      if (this.faults[0] === 'fails') {
        this.faults.shift();
        throw new PenstockError('PS4108', 'not now', { category: 'transient' });
      }
    },
    after: ({ txns }) => {
      for (const { appId, version } of txns) this.inspect(appId, version);
      if (this.faults.shift() === 'answer lost') throw new PenstockError('PS4108', 'no answer', { category: 'transient' });
    },
  });

  constructor(
    private readonly partitions: readonly (readonly Fate[])[],
    faults: readonly Fault[],
  ) {
    this.faults = [...faults];
  }

  /** Everything below the recorded offset is in the table, or left by another door, durably. */
  private inspect(appId: string, version: number): void {
    const partition = Number(appId);
    for (let offset = 0; offset < version; offset += 1) {
      const place = `${String(partition)}/${String(offset)}`;
      const rows = ROWS[this.partitions[partition]![offset]!.kind];
      const written = this.table.written.filter(({ id }) => String(id).startsWith(`${place}:`)).length;
      if (rows > 0 ? written !== rows : !this.durable.has(place)) this.violations.push(`${place} is not behind ${String(version)}`);
    }
  }

  /** One life of a reader: hands out what is not durable yet, until everything has left or the process is killed. */
  async live(killedAfterMs: number | undefined): Promise<void> {
    let killed = false;
    const writer = tableWriter({
      tables: { things: this.table },
      appId: (_, partition) => String(partition),
      flushMs: 5,
      maxRows: 4,
      backoff: { baseMs: 2, capMs: 8 },
    });
    const source$ = new Subject<Delivery<Fate>>();
    const done = new Promise<void>((resolve) => {
      const subscription = source$
        .pipe(
          writer.track(),
          mergeMap((delivery) => this.step(delivery)),
          writer.write(),
        )
        .subscribe({ complete: resolve });
      if (killedAfterMs !== undefined) {
        setTimeout(() => {
          killed = true;
          subscription.unsubscribe();
          resolve();
        }, killedAfterMs);
      }
    });
    const gone = () => killed;
    void Promise.all(this.partitions.map((fates, partition) => this.handOut(source$, fates, partition, gone))).then(() => {
      if (!killed) source$.complete();
    });
    await vi.advanceTimersByTimeAsync(5_000);
    await done;
  }

  private async handOut(source$: Subject<Delivery<Fate>>, fates: readonly Fate[], partition: number, gone: () => boolean): Promise<void> {
    for (const [offset, fate] of fates.entries()) {
      const place = `${String(partition)}/${String(offset)}`;
      if (this.durable.has(place)) continue;
      await new Promise((resolve) => setTimeout(resolve, fate.gapMs));
      if (gone()) return;
      const origin = { topic: 't', partition, offset, key: undefined, headers: {}, timestamp: 0 };
      source$.next(
        openDelivery(fate, origin, {
          settled: ({ outcome }, confirm) => {
            const end = () => {
              if (gone()) return;
              if (outcome !== 'released') {
                if (this.durable.has(place)) this.violations.push(`${place} left twice`);
                this.durable.set(place, outcome);
              }
              confirm(outcome);
            };
            if (fate.doorMs === 0) end();
            else setTimeout(end, fate.doorMs);
          },
          failed: (_error, failed) => setTimeout(() => failed.settle('dead_lettered'), fate.stepMs),
        }),
      );
    }
  }

  private async *step(delivery: Delivery<Fate>): AsyncGenerator<Delivery<TableRow>> {
    const { kind, stepMs } = delivery.value;
    if (stepMs > 0) await new Promise((resolve) => setTimeout(resolve, stepMs));
    const { partition, offset } = delivery.origin!;
    const row = (text: string): TableRow => ({
      table: 'things',
      row: { id: text === 'unfit' ? text : `${String(partition)}/${String(offset)}:${text}` },
    });
    if (kind === 'filtered' || kind === 'retried') delivery.settle(kind);
    else if (kind === 'rows') yield* delivery.fork([row('1'), row('2'), row('3')]);
    else yield delivery.with(row(kind));
  }
}

const fate: fc.Arbitrary<Fate> = fc.record({
  kind: fc.constantFrom<Fate['kind'][]>('row', 'row', 'row', 'rows', 'filtered', 'retried', 'unfit', 'poison'),
  gapMs: fc.constantFrom(0, 0, 1, 7),
  stepMs: fc.constantFrom(0, 0, 1, 3, 20),
  doorMs: fc.constantFrom(0, 0, 2, 15),
});

describe('a table writer over anything', () => {
  afterEach(() => vi.useRealTimers());

  it('L6 A1 A4 A9: every row is written once and none is lost, whatever fails and whenever it is killed', async () => {
    vi.useFakeTimers();
    const partitions = fc.array(fc.array(fate, { maxLength: 9 }), { minLength: 2, maxLength: 2 });
    const faults = fc.array(fc.constantFrom<Fault[]>('none', 'fails', 'answer lost'), { maxLength: 8 });
    const kills = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(partitions, faults, kills, async (fates, faulty, lives) => {
        const world = new World(fates, faulty);
        for (const life of lives) await world.live(life);
        await world.live(undefined);
        expect(world.violations).toEqual([]);
        const places = fates.flatMap((each, partition) =>
          each.map((one, offset) => [`${String(partition)}/${String(offset)}`, one] as const),
        );
        const expected = places.flatMap(([place, { kind }]) =>
          kind === 'row' ? [`${place}:row`] : kind === 'rows' ? [1, 2, 3].map((n) => `${place}:${String(n)}`) : [],
        );
        expect(world.table.written.map(({ id }) => String(id)).sort()).toEqual(expected.sort());
        for (const [place, { kind }] of places) {
          const door = {
            row: 'delivered',
            rows: 'delivered',
            filtered: 'filtered',
            retried: 'retried',
            unfit: 'dead_lettered',
            poison: 'dead_lettered',
          }[kind];
          expect([place, world.durable.get(place)]).toEqual([place, door]);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('the end of the log', () => {
  it('below what a table records is a named error, not silence', async () => {
    const table = new MemoryTable();
    await table.commit({ rows: [{ id: 'a' }], txns: [{ appId: 'log/t/0', version: 12 }] });
    const appId = (topic: string, partition: number) => `log/${topic}/${String(partition)}`;
    await checkLogEnds({ tables: { things: table }, appId }, [
      { topic: 't', partition: 0, end: 12 },
      { topic: 't', partition: 1, end: 0 },
    ]);
    await expect(checkLogEnds({ tables: { things: table }, appId }, [{ topic: 't', partition: 0, end: 11 }])).rejects.toMatchObject({
      code: 'PS3004',
      message: expect.stringContaining('up to offset 12, the log ends at 11') as string,
    });
  });
});
