import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Cell, type ColumnType, dedupeRows, openTable, parquetEncoder, type Row } from '../../../src/storage/delta/index.js';
import { type Family, fields, list, wanted } from '../family.js';

const encoder = parquetEncoder({ run: 'here' });

type Rows = readonly Readonly<Record<string, Cell>>[];

function columnsOf(...rows: readonly Rows[]): readonly string[] {
  return [...new Set(rows.flat().flatMap((row) => Object.keys(row)))];
}

/** A row with every column, null where it has none. */
function full(row: Readonly<Record<string, Cell>>, columns: readonly string[]): Row {
  return Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
}

function dedupe(rows: Rows, keys: readonly string[]): readonly Row[] {
  const columns = columnsOf(rows);
  const stored = rows.map((row) => columns.map((column) => row[column] ?? null)) as Parameters<typeof dedupeRows>[0];
  const keyAt = keys.map((key) => columns.indexOf(key));
  return dedupeRows(stored, keyAt).map((row) => Object.fromEntries(columns.map((column, at) => [column, row[at]!])));
}

function typeOf(column: string, rows: Rows): ColumnType {
  const cells = rows.map((row) => row[column]).filter((cell) => cell !== null && cell !== undefined);
  if (cells.some((cell) => typeof cell === 'boolean')) return 'boolean';
  if (cells.some((cell) => typeof cell === 'number')) return cells.every(Number.isSafeInteger) ? 'int64' : 'double';
  return 'text';
}

/** Writes the rows before and the incoming ones into a table of its own, and reads that. */
async function merge(before: Rows, incoming: Rows, key: readonly string[], preserveOnUpdate: readonly string[]): Promise<readonly Row[]> {
  const columns = columnsOf(before, incoming);
  const directory = await mkdtemp(join(tmpdir(), 'penstock-golden-'));
  try {
    const schema = {
      name: 'golden',
      about: 'A recorded merge.',
      columns: columns.map((name) => ({ name, type: typeOf(name, [...before, ...incoming]), about: name })),
      partitionBy: [],
      mode: 'merge' as const,
      key,
      preserveOnUpdate,
    };
    const table = await openTable({ directory, schema, encoder });
    await table.commit({ rows: before, txns: [] });
    await table.commit({ rows: incoming, txns: [] });
    const rows: Row[] = [];
    for await (const row of table.rows()) rows.push(row);
    await table.close();
    return rows;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function keyOf(row: Row, keys: readonly string[]): string {
  return keys.map((key) => String(row[key])).join('\n');
}

export const family: Family = {
  name: 'table-merge',
  async check(vector) {
    const input = fields(vector.in);
    const expected = fields(wanted(vector));
    const keys = list(input['keys']) as readonly string[];
    if (input['kind'] === 'dedupe_batch') {
      const rows = list(input['rows']) as Rows;
      const columns = columnsOf(rows);
      expect(dedupe(rows, keys)).toEqual((list(expected['rows']) as Rows).map((row) => full(row, columns)));
      return;
    }
    const before = list(input['table']) as Rows;
    const incoming = list(input['incoming']) as Rows;
    const columns = columnsOf(before, incoming);
    const after = [...(await merge(before, incoming, keys, list(input['preserve_on_update']) as readonly string[]))];
    after.sort((a, b) => (keyOf(a, keys) < keyOf(b, keys) ? -1 : 1));
    expect(after).toEqual((list(expected['table']) as Rows).map((row) => full(row, columns)));
  },
};
