import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTable, parquetEncoder, type Row, type Table, type TableSchema } from '../../src/storage/delta/index.js';

const encoder = parquetEncoder({ run: 'here' });
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-delta-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const events: TableSchema = {
  name: 'events',
  about: 'Events.',
  columns: [
    { name: 'id', type: 'text', about: 'Which.' },
    { name: 'n', type: 'int64', about: 'A number.' },
    { name: 'x', type: 'double', about: 'Another.' },
    { name: 'ok', type: 'boolean', about: 'Whether.' },
    { name: 'at', type: 'timestamp', about: 'When.' },
    { name: 'day', type: 'date', about: 'The day.' },
  ],
  partitionBy: ['day'],
  mode: 'append',
  key: [],
  preserveOnUpdate: [],
};

const all = async (table: Table) => {
  const rows: Row[] = [];
  for await (const row of table.rows()) rows.push(row);
  return rows;
};

describe('a table that is appended to', () => {
  it('gives back what was written, cell by cell', async () => {
    const table = await openTable({ directory, schema: events, encoder });
    const rows: Row[] = [
      { id: 'a', n: 2n ** 63n - 1n, x: Number.POSITIVE_INFINITY, ok: true, at: '2031-05-06T07:08:09.123456Z', day: '2031-05-06' },
      { id: '', n: -(2n ** 63n), x: Number.NaN, ok: false, at: '1969-12-31T23:59:59.999999Z', day: '1969-12-31' },
      { id: '🦆é', n: 5, x: -0, ok: null, at: null, day: null },
    ];
    const result = await table.commit({ rows, txns: [{ appId: 'app', version: 3 }] });
    expect(result).toEqual({ version: 1, written: 3, absorbed: 0 });
    const reopened = await openTable({ directory, schema: events, encoder });
    expect(await all(reopened)).toEqual(rows);
    expect(await reopened.count()).toBe(3);
    expect(await reopened.txn('app')).toBe(3);
  });
});
