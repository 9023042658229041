import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { XACT_TABLES } from '../../../src/domains/xact/tables.js';
import { claimChecks, valueOf } from '../../../src/runtime/claim-check.js';
import { type DeadLetter, readDeadLetter } from '../../../src/runtime/dead-letter.js';
import { openLocalBlobs } from '../../../src/storage/blob/index.js';
import { openTable, parquetEncoder } from '../../../src/storage/delta/index.js';
import type { Cell, TableSchema } from '../../../src/storage/delta/table.js';
import { openEmbedded } from '../../../src/transport/embedded/index.js';
import type { LogRecord } from '../../../src/transport/transport.js';

const DEAD_LETTERS = 'xact.dlq';

export type Cells = Readonly<Record<string, Cell>>;

/** The tables of a data directory, in every cell but those that say when something was processed, ordered by key. */
export async function tablesOf(data: string): Promise<Readonly<Record<string, readonly Cells[]>>> {
  const encoder = parquetEncoder({ run: 'here' });
  const tables: Record<string, readonly Cells[]> = {};
  for (const schema of XACT_TABLES) {
    const directory = join(data, 'tables', schema.name);
    tables[schema.name] = existsSync(directory) ? await rowsOf(directory, schema, encoder) : [];
  }
  await encoder.close();
  return tables;
}

async function rowsOf(directory: string, schema: TableSchema, encoder: ReturnType<typeof parquetEncoder>): Promise<readonly Cells[]> {
  const table = await openTable({ directory, schema, encoder });
  const lasting = schema.columns.filter(({ processingTime }) => processingTime !== true).map(({ name }) => name);
  const key = schema.key[0]!;
  const rows: Cells[] = [];
  for await (const row of table.rows()) rows.push(Object.fromEntries(lasting.map((name) => [name, row[name] ?? null])));
  await table.close();
  return rows.sort((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1));
}

export interface StoredFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** Every stored file by its blob path. */
export async function filesOf(data: string): Promise<ReadonlyMap<string, StoredFile>> {
  const base = join(data, 'files', 'xact');
  if (!existsSync(base)) return new Map();
  const entries = (await readdir(base, { recursive: true, withFileTypes: true })).filter((entry) => !entry.isDirectory());
  const files = new Map<string, StoredFile>();
  for (const { parentPath, name } of entries) {
    const path = join(parentPath, name);
    const content = await readFile(path);
    const sha256 = createHash('sha256').update(content).digest('hex');
    files.set(relative(base, path).split(sep).join('/'), { bytes: content.length, sha256 });
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What lies under a folder, without what a data directory inside it holds. */
export async function surroundings(folder: string, data: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name));
  return paths.filter((path) => path !== data && !path.startsWith(data + sep)).toSorted();
}

/** The log of a data directory: all records by topic, dead letters with the values that were too large to travel. */
export async function logOf(data: string): Promise<ReadonlyMap<string, readonly LogRecord[]>> {
  const transport = await openEmbedded({ directory: join(data, 'log') });
  const claims = claimChecks({ blobs: await openLocalBlobs({ directory: join(data, 'claims') }) });
  try {
    const topics = new Map<string, readonly LogRecord[]>();
    for (const { name, offsets } of await transport.topics()) {
      const records: LogRecord[] = [];
      for (const { partition } of offsets)
        for await (const record of transport.read(name, partition))
          records.push(name === DEAD_LETTERS ? { ...record, value: await valueOf(record, claims) } : record);
      topics.set(name, records);
    }
    return topics;
  } finally {
    await transport.close();
  }
}

export function deadLettersIn(log: ReadonlyMap<string, readonly LogRecord[]>): readonly DeadLetter[] {
  return (log.get(DEAD_LETTERS) ?? []).map((record) => readDeadLetter(record).letter);
}
