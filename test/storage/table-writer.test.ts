import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Subject } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Delivery, mapEach, openDelivery, type Outcome } from '../../operators/index.js';
import { type TableRow, tableWriter } from '../../src/runtime/table-writer.js';
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
