import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type Cell, parquetEncoder, type Table } from '../../src/storage/delta/index.js';

export { schemaOf } from './scratch-schema.js';

/** One encoder for the tables of a test file. */
export const encoder = parquetEncoder({ run: 'here' });

/** A directory of its own, gone after the file's last test. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'penstock-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Directories for the cases of a property, below one that is removed afterwards. */
export function scratches(): () => string {
  const base = scratch();
  let count = 0;
  return () => join(base, String((count += 1)));
}

export async function rowsOf(table: Table): Promise<Readonly<Record<string, Cell>>[]> {
  const rows: Readonly<Record<string, Cell>>[] = [];
  for await (const row of table.rows()) rows.push(row);
  return rows;
}
