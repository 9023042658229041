import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTable, type Row, type Table } from '../../src/storage/delta/index.js';
import { encoder, rowsOf, schemaOf, scratches } from './scratch.js';

const directoryOf = scratches();
const merging = schemaOf(
  { id: 'text', a: 'text', n: 'int64', at: 'timestamp', place: 'text' },
  { mode: 'merge', key: ['id'], preserveOnUpdate: ['at'], partitionBy: ['place'] },
);
const inserting = schemaOf({ id: 'text', n: 'int64', place: 'text' }, { mode: 'insert_if_absent', key: ['id'], partitionBy: ['place'] });

const byId = (rows: readonly Row[]) => [...rows].sort((a, b) => String(a['id']).localeCompare(String(b['id'])));
const sorted = async (table: Table) => byId(await rowsOf(table));

describe('a table that is merged into', () => {
  it('D10: updates what is there, inserts what is not, and a null erases nothing', async () => {
    const table = await openTable({ directory: directoryOf(), schema: merging, encoder });
    await table.commit({
      rows: [
        { id: 'x', a: 'A', n: 1, at: '2031-01-01T00:00:00.000001Z' },
        { id: 'y', a: 'B' },
      ],
      txns: [],
    });
    const result = await table.commit({
      rows: [
        { id: 'x', n: 2, at: '2032-01-01T00:00:00Z' },
        { id: 'z', a: 'C' },
      ],
      txns: [],
    });
    expect(result).toEqual({ version: 2, written: 2, absorbed: 0 });
    const none = { n: null, at: null, place: null };
    expect(await sorted(table)).toEqual([
      { id: 'x', a: 'A', n: 2, at: '2031-01-01T00:00:00.000001Z', place: null },
      { id: 'y', a: 'B', ...none },
      { id: 'z', a: 'C', ...none },
    ]);
  });

  it('moves a row to another partition', async () => {
    const table = await openTable({ directory: directoryOf(), schema: merging, encoder });
    await table.commit({
      rows: [
        { id: 'x', place: 'here', n: 1 },
        { id: 'y', place: 'here' },
      ],
      txns: [],
    });
    await table.commit({ rows: [{ id: 'x', place: 'there' }], txns: [] });
    expect((await sorted(table)).map(({ id, place, n }) => [id, place, n])).toEqual([
      ['x', 'there', 1],
      ['y', 'here', null],
    ]);
  });

  it('writes no file for rows that change nothing', async () => {
    const table = await openTable({ directory: directoryOf(), schema: merging, encoder });
    await table.commit({ rows: [{ id: 'x', a: 'A' }], txns: [] });
    expect(await table.commit({ rows: [{ id: 'x', a: 'A', n: null }], txns: [] })).toEqual({ version: 1, written: 0, absorbed: 1 });
    expect(await table.commit({ rows: [{ id: 'x', a: 'A' }], txns: [{ appId: 'a', version: 1 }] })).toMatchObject({
      version: 2,
      written: 0,
    });
  });

  it('refuses a row whose key is empty', async () => {
    const table = await openTable({ directory: directoryOf(), schema: merging, encoder });
    expect(table.check({ a: 'A' })).toMatchObject({ code: 'PS4109', message: 'column id is a key and has no value' });
  });

  it('agrees with a map, whatever is merged, by however many, with checkpoints and openings between', async () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const row = fc.record({
      id,
      a: fc.option(fc.constantFrom('p', 'q')),
      n: fc.option(fc.integer({ min: 0, max: 3 })),
      at: fc.constantFrom('2031-01-01T00:00:00.000Z', '2031-01-01T00:00:00.000001Z'),
      place: fc.constantFrom('h', 't', null),
    });
    const step = fc.record({ rows: fc.array(row, { minLength: 1, maxLength: 4 }), by: fc.nat({ max: 2 }), reopen: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
        const directory = directoryOf();
        const open = () => openTable({ directory, schema: merging, encoder, checkpointEvery: 3 });
        const tables = [await open(), await open(), await open()];
        const model = new Map<string, Record<string, unknown>>();
        for (const { rows, by, reopen } of steps) {
          for (const incoming of rows) {
            const stored = model.get(incoming.id);
            if (stored === undefined) model.set(incoming.id, { ...incoming });
            else
              for (const [name, cell] of Object.entries(incoming))
                if (cell !== null && name !== 'id') if (name !== 'at' || !stored['old']) stored[name] = cell;
          }
          for (const stored of model.values()) stored['old'] = true;
          await tables[by]!.commit({ rows, txns: [] });
          if (!reopen) continue;
          await tables[by]!.close();
          tables[by] = await open();
        }
        const expected = [...model.values()].map(
          (stored) => Object.fromEntries(Object.entries(stored).filter(([name]) => name !== 'old')) as Row,
        );
        for (const table of tables) expect(await sorted(table)).toEqual(byId(expected));
        await Promise.all(tables.map((table) => table.close()));
      }),
      { numRuns: 15 },
    );
  });

  it('three that merge the same keys at once lose no update', async () => {
    const directory = directoryOf();
    const schema = schemaOf({ id: 'text', w0: 'int64', w1: 'int64', w2: 'int64' }, { mode: 'merge', key: ['id'] });
    const tables = await Promise.all([0, 1, 2].map(() => openTable({ directory, schema, encoder })));
    await Promise.all(
      tables.map(async (table, writer) => {
        for (let n = 1; n <= 5; n += 1) {
          await table.commit({ rows: ['a', 'b', 'c'].map((id) => ({ id, [`w${String(writer)}`]: n })), txns: [] });
        }
      }),
    );
    expect(await sorted(tables[0]!)).toEqual(['a', 'b', 'c'].map((id) => ({ id, w0: 5, w1: 5, w2: 5 })));
  });
});

describe('a table into which what is absent is inserted', () => {
  it('takes each key once: within a batch, later, and after an opening', async () => {
    const directory = directoryOf();
    const table = await openTable({ directory, schema: inserting, encoder });
    expect(
      await table.commit({
        rows: [
          { id: 'x', n: 1 },
          { id: 'y', n: 1 },
          { id: 'x', n: 2 },
        ],
        txns: [],
      }),
    ).toMatchObject({ written: 2, absorbed: 1 });
    expect(
      await table.commit({
        rows: [
          { id: 'y', n: 3, place: 'elsewhere' },
          { id: 'z', n: 3 },
        ],
        txns: [],
      }),
    ).toMatchObject({ written: 1, absorbed: 1 });
    await table.close();
    const again = await openTable({ directory, schema: inserting, encoder });
    expect(await again.commit({ rows: [{ id: 'z', n: 4 }], txns: [{ appId: 'a', version: 9 }] })).toMatchObject({
      written: 0,
      absorbed: 1,
    });
    expect(await again.txn('a')).toBe(9);
    expect((await sorted(again)).map(({ id, n }) => [id, n])).toEqual([
      ['x', 1],
      ['y', 1],
      ['z', 3],
    ]);
  });

  it('conflicts like a merge: of many that insert the same keys at once, each key comes from one', async () => {
    const directory = directoryOf();
    const tables = await Promise.all([0, 1, 2, 3].map(() => openTable({ directory, schema: inserting, encoder })));
    const results = await Promise.all(
      tables.map(async (table, n) => {
        let written = 0;
        for (let round = 0; round < 4; round += 1) {
          const rows = [0, 1, 2].map((i) => ({ id: `${String(round)}-${String((i + n) % 4)}`, n }));
          written += (await table.commit({ rows, txns: [] })).written;
        }
        return written;
      }),
    );
    const ids = (await rowsOf(tables[0]!)).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(16);
    expect(results.reduce((sum, written) => sum + written, 0)).toBe(16);
  });

  it.each(['the index is lost', 'the index is torn', 'the index is of an older version', 'the index is of another table'])(
    'stays exact when %s',
    async (what) => {
      const directory = directoryOf();
      const index = join(directory, '_key_index', 'keys.bin');
      const { copyFile, truncate } = await import('node:fs/promises');
      const first = await openTable({ directory, schema: inserting, encoder });
      await first.commit({ rows: [{ id: 'a' }], txns: [] });
      await first.close();
      await copyFile(index, `${index}.old`);
      const second = await openTable({ directory, schema: inserting, encoder });
      await second.commit({ rows: [{ id: 'b', place: 'p' }], txns: [] });
      await second.close();
      if (what.endsWith('lost')) await rm(index);
      if (what.endsWith('torn')) await truncate(index, 50);
      if (what.endsWith('version')) await copyFile(`${index}.old`, index);
      if (what.endsWith('table')) {
        const other = directoryOf();
        const table = await openTable({ directory: other, schema: inserting, encoder });
        await table.commit({ rows: [{ id: 'c' }], txns: [] });
        await table.close();
        await copyFile(join(other, '_key_index', 'keys.bin'), index);
      }
      const third = await openTable({ directory, schema: inserting, encoder });
      expect(await third.commit({ rows: [{ id: 'a' }, { id: 'b' }, { id: 'c' }], txns: [] })).toMatchObject({ written: 1, absorbed: 2 });
    },
  );

  it('a key of several columns is more than their text put together', async () => {
    const schema = schemaOf({ a: 'text', b: 'text', n: 'int64' }, { mode: 'insert_if_absent', key: ['a', 'b'] });
    const table = await openTable({ directory: directoryOf(), schema, encoder });
    const rows = [
      ['x', 'yz'],
      ['xy', 'z'],
      ['1:', '2'],
      ['1', ':2'],
    ].map(([a, b]) => ({ a: a!, b: b! }));
    expect(await table.commit({ rows, txns: [] })).toMatchObject({ written: 4 });
    expect(await table.commit({ rows, txns: [] })).toMatchObject({ written: 0 });
  });

  it('a thousand keys each find their own', async () => {
    const table = await openTable({ directory: directoryOf(), schema: inserting, encoder });
    const rows = (from: number) => Array.from({ length: 2000 }, (_, n) => ({ id: `key-${String(from + n)}`, n }));
    await table.commit({ rows: rows(0), txns: [] });
    expect(await table.commit({ rows: rows(1000), txns: [] })).toMatchObject({ written: 1000, absorbed: 1000 });
    expect(await table.count()).toBe(3000);
  });

  it('a saved index forgets the files that merges replaced', async () => {
    const { readFile } = await import('node:fs/promises');
    const directory = directoryOf();
    const table = await openTable({ directory, schema: merging, encoder });
    for (let n = 0; n < 5; n += 1) await table.commit({ rows: [{ id: 'x', n }, { id: `y${String(n)}` }], txns: [] });
    await table.close();
    const head = (await readFile(join(directory, '_key_index', 'keys.bin'))).subarray(32).toString('latin1').split('\n')[0]!;
    const { count, paths } = JSON.parse(head) as { readonly count: number; readonly paths: readonly string[] };
    expect(count).toBe(6);
    expect(paths.length).toBeLessThan(6);
    const again = await openTable({ directory, schema: merging, encoder });
    expect(await again.commit({ rows: ['x', 'y0', 'y4', 'z'].map((id) => ({ id, a: 'new' })), txns: [] })).toMatchObject({ written: 4 });
    expect(await again.count()).toBe(7);
  });
});
