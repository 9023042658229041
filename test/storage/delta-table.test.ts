import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cell, openTable, type Row } from '../../src/storage/delta/index.js';
import { encoder, rowsOf, schemaOf, scratches } from './scratch.js';

const directoryOf = scratches();
const wide = schemaOf(
  { id: 'text', n: 'int64', x: 'double', ok: 'boolean', at: 'timestamp', day: 'date', place: 'text' },
  { partitionBy: ['place'] },
);

const micros = fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n });
const iso = (value: bigint): string => {
  const rest = ((value % 1000n) + 1000n) % 1000n;
  const text = new Date(Number((value - rest) / 1000n)).toISOString();
  return rest === 0n ? text : text.replace('Z', `${String(rest).padStart(3, '0')}Z`);
};
const wideRow: fc.Arbitrary<Record<string, Cell>> = fc.record({
  id: fc.option(fc.string({ unit: 'binary' })),
  n: fc
    .option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
    .map((n) => (n !== null && Number.isSafeInteger(Number(n)) ? Number(n) : n)),
  x: fc.option(fc.double()),
  ok: fc.option(fc.boolean()),
  at: fc.option(micros.map(iso)),
  day: fc.option(micros.map((value) => iso(value).slice(0, 10))),
  place: fc.option(fc.string({ unit: 'binary', minLength: 1, maxLength: 300 })),
});
const byText = (rows: readonly unknown[]): string[] =>
  rows
    .map((row) =>
      JSON.stringify(row, (_, value: unknown) =>
        typeof value === 'bigint'
          ? `${value}n`
          : Object.is(value, -0)
            ? '-0'
            : typeof value === 'number' && !Number.isFinite(value)
              ? String(value)
              : value,
      ),
    )
    .sort();

describe('a table that is appended to', () => {
  it('gives back what was written, cell by cell, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(wideRow, { maxLength: 8 }), { minLength: 1, maxLength: 3 }), async (batches) => {
        const directory = directoryOf();
        const table = await openTable({ directory, schema: wide, encoder });
        for (const rows of batches) await table.commit({ rows, txns: [] });
        const reopened = await openTable({ directory, schema: wide, encoder });
        expect(byText(await rowsOf(reopened))).toEqual(byText(batches.flat()));
        expect(await reopened.count()).toBe(batches.flat().length);
      }),
      { numRuns: 25 },
    );
  });

  it('keeps microseconds, and instants before 1970', async () => {
    const table = await openTable({ directory: directoryOf(), schema: schemaOf({ at: 'timestamp' }), encoder });
    const at = ['1969-12-31T23:59:59.999999Z', '2031-05-06T07:08:09.000001Z', '0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999999Z'];
    await table.commit({ rows: at.map((text) => ({ at: text })), txns: [] });
    expect(await rowsOf(table)).toEqual(at.map((text) => ({ at: text })));
  });

  it('E4: reads instants in every usual spelling; without an offset they are UTC', async () => {
    const table = await openTable({ directory: directoryOf(), schema: schemaOf({ at: 'timestamp' }), encoder });
    const spellings = [
      '2031-05-06T07:08:09',
      '2031-05-06 07:08:09Z',
      '2031-05-06T09:08:09+02:00',
      '2031-05-06T07:08:09.000000999z',
      '2031-05-06T06:38:09-0030',
    ];
    await table.commit({ rows: [...spellings.map((at) => ({ at })), { at: new Date('2031-05-06T07:08:09Z') }], txns: [] });
    expect(await rowsOf(table)).toEqual(Array.from({ length: 6 }, () => ({ at: '2031-05-06T07:08:09.000Z' })));
  });

  it('a cell that is missing is null', async () => {
    const table = await openTable({ directory: directoryOf(), schema: schemaOf({ a: 'text', b: 'int64' }), encoder });
    await table.commit({ rows: [{ a: 'x' }, { b: 1, a: undefined }], txns: [] });
    expect(await rowsOf(table)).toEqual([
      { a: 'x', b: null },
      { a: null, b: 1 },
    ]);
  });

  const refusals: readonly (readonly [Row, string])[] = [
    [{ id: 5 }, 'column id expects text, found the number 5'],
    [{ n: 1.5 }, 'column n expects a whole number of at most 64 bits, found the number 1.5'],
    [{ n: 2 ** 60 }, 'column n'],
    [{ n: 2n ** 63n }, 'column n'],
    [{ n: '5' }, 'column n expects a whole number of at most 64 bits, found the text "5"'],
    [{ x: 5n }, 'column x expects a number'],
    [{ ok: 'true' }, 'column ok expects true or false'],
    [{ at: 'yesterday' }, 'column at expects an instant'],
    [{ at: '2031-02-30T00:00:00Z' }, 'column at'],
    [{ at: '2031-01-01T24:00:00Z' }, 'column at'],
    [{ at: new Date(Number.NaN) }, 'column at'],
    [{ day: '2031-13-01' }, 'column day expects a date'],
    [{ day: '2031-01-01T00:00:00Z' }, 'column day'],
    [{ place: '' }, 'column place partitions the table'],
    [{ id: 'x', colour: 'red' }, 'the table has no column colour'],
  ];
  it.each(refusals)('D11: refuses a row by name of its column: %o', async (row, message) => {
    const table = await openTable({ directory: directoryOf(), schema: wide, encoder });
    expect(table.check(row)).toMatchObject({ code: 'PS4109', category: 'permanent', message: expect.stringContaining(message) as string });
    await expect(table.commit({ rows: [row], txns: [] })).rejects.toMatchObject({ code: 'PS4109' });
    expect(await table.count()).toBe(0);
  });

  it('puts partitions into directories whose names are escaped as Hive does, and into the log as URIs', async () => {
    const directory = directoryOf();
    const table = await openTable({ directory, schema: schemaOf({ id: 'int64', place: 'text' }, { partitionBy: ['place'] }), encoder });
    await table.commit({
      rows: [{ id: 1, place: 'a b/c=d%25:é' }, { id: 2 }, { id: 3, place: 'x'.repeat(400) }, { id: 4, place: '..' }],
      txns: [],
    });
    const directories = (await readdir(directory)).filter((name) => name.startsWith('place=')).sort();
    expect(directories.slice(0, 3)).toEqual(['place=..', 'place=__HIVE_DEFAULT_PARTITION__', 'place=a b%2Fc%3Dd%2525%3Aé']);
    expect(directories[3]).toMatch(/^place=~[0-9a-f]{64}$/);
    const commit = await readFile(join(directory, '_delta_log', `${'1'.padStart(20, '0')}.json`), 'utf8');
    expect(commit).toContain('"path":"place=a%20b%252Fc%253Dd%252525%253A%C3%A9/part-');
    expect(commit).toContain('"partitionValues":{"place":"a b/c=d%25:é"}');
    expect((await rowsOf(table)).map(({ place }) => place)).toEqual(['a b/c=d%25:é', null, 'x'.repeat(400), '..']);
  });

  it('a commit without rows records progress alone', async () => {
    const table = await openTable({ directory: directoryOf(), schema: wide, encoder });
    expect(await table.commit({ rows: [], txns: [{ appId: 'a', version: 5 }] })).toEqual({ version: 1, written: 0, absorbed: 0 });
    expect(await table.txn('a')).toBe(5);
    expect(await table.commit({ rows: [], txns: [] })).toEqual({ version: 1, written: 0, absorbed: 0 });
  });
});

describe('a table that is there already', () => {
  const schema = schemaOf({ id: 'text', n: 'int64' });

  it.each([
    ['another type', schemaOf({ id: 'text', n: 'text' }), 'it lacks [n string] and has [n long]'],
    ['a new column', schemaOf({ id: 'text', n: 'int64', m: 'int64' }), 'it lacks [m long] and has []'],
    ['other partitions', schemaOf({ id: 'text', n: 'int64' }, { partitionBy: ['id'] }), 'is partitioned by [], expected [id]'],
  ])('is refused by name when the schema has %s', async (_, other, message) => {
    const directory = directoryOf();
    await openTable({ directory, schema, encoder });
    await expect(openTable({ directory, schema: other, encoder })).rejects.toMatchObject({
      code: 'PS3005',
      category: 'permanent',
      message: expect.stringContaining(message) as string,
    });
  });

  const foreign = async (...lines: readonly unknown[]): Promise<string> => {
    const directory = directoryOf();
    await mkdir(join(directory, '_delta_log'), { recursive: true });
    await writeFile(join(directory, '_delta_log', `${'0'.padStart(20, '0')}.json`), lines.map((line) => JSON.stringify(line)).join('\n'));
    return directory;
  };
  const field = (name: string, type: string, more: object = {}) => ({ name, type, nullable: true, metadata: {}, ...more });
  const metaData = (...fields: readonly unknown[]) => ({
    metaData: {
      id: '1',
      format: { provider: 'parquet', options: {} },
      schemaString: JSON.stringify({ type: 'struct', fields }),
      partitionColumns: [],
      configuration: {},
    },
  });

  it('is refused when it needs a protocol with features', async () => {
    const directory = await foreign(
      { protocol: { minReaderVersion: 3, minWriterVersion: 7 } },
      metaData(field('id', 'string'), field('n', 'long')),
    );
    await expect(openTable({ directory, schema, encoder })).rejects.toMatchObject({
      code: 'PS3005',
      message: expect.stringContaining('3/7') as string,
    });
  });

  it('is refused when a column must not be null, or has an invariant', async () => {
    const strict = await foreign(
      { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
      metaData(field('id', 'string', { nullable: false }), field('n', 'long')),
    );
    await expect(openTable({ directory: strict, schema, encoder })).rejects.toMatchObject({ code: 'PS3005' });
    const bound = await foreign(
      { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
      metaData(field('id', 'string', { metadata: { 'delta.invariants': '{}' } }), field('n', 'long')),
    );
    await expect(openTable({ directory: bound, schema, encoder })).rejects.toMatchObject({ code: 'PS3005' });
  });

  it('of somebody else is taken when it fits', async () => {
    const directory = await foreign(
      { protocol: { minReaderVersion: 1, minWriterVersion: 1 } },
      metaData(field('id', 'string'), field('n', 'long')),
    );
    const table = await openTable({ directory, schema, encoder });
    await table.commit({ rows: [{ id: 'a', n: 1 }], txns: [] });
    expect(await rowsOf(table)).toEqual([{ id: 'a', n: 1 }]);
  });

  it('made by two at once is one table', async () => {
    const directory = directoryOf();
    const tables = await Promise.all(Array.from({ length: 4 }, () => openTable({ directory, schema, encoder })));
    await Promise.all(tables.map((table, n) => table.commit({ rows: [{ id: 'x', n }], txns: [] })));
    expect(await tables[0]!.count()).toBe(4);
    expect((await readdir(join(directory, '_delta_log'))).filter((name) => name.endsWith('.json'))).toHaveLength(5);
  });

  it.each([
    ['two columns of one name', schemaOf({ id: 'text', ID: 'text' })],
    ['a partition that is no column', schemaOf({ id: 'text' }, { partitionBy: ['day'] })],
    ['a mode without a key', schemaOf({ id: 'text' }, { mode: 'merge' })],
    ['nothing but partitions', schemaOf({ id: 'text' }, { partitionBy: ['id'] })],
    ['a partition by instants', schemaOf({ id: 'text', at: 'timestamp' }, { partitionBy: ['at'] })],
  ])('is not even looked at when the schema has %s', async (_, wrong) => {
    await expect(openTable({ directory: directoryOf(), schema: wrong, encoder })).rejects.toMatchObject({ code: 'PS7000' });
  });
});
