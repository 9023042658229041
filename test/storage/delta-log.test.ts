import { mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ParquetFile } from 'parquet-wasm';
import * as parquet from 'parquet-wasm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openTable, type Row, type Table } from '../../src/storage/delta/index.js';
import { CommitLog } from '../../src/storage/delta/log.js';
import { encoder, rowsOf, schemaOf, scratches } from './scratch.js';

const directoryOf = scratches();
const schema = schemaOf({ id: 'int64', place: 'text' }, { partitionBy: ['place'] });
const row = (id: number, place = 'p'): Row => ({ id, place });
const ids = async (table: Table) => (await rowsOf(table)).map(({ id }) => Number(id)).sort((a, b) => a - b);
const logOf = (directory: string) => join(directory, '_delta_log');
const commitName = (version: number) => `${String(version).padStart(20, '0')}.json`;
const actionsOf = async (directory: string, version: number) =>
  (await readFile(join(logOf(directory), commitName(version)), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>);

afterEach(() => vi.restoreAllMocks());

describe('a commit', () => {
  it('needs the lowest protocol and no features', async () => {
    const directory = directoryOf();
    await openTable({ directory, schema, encoder });
    const [info, protocol, metaData] = await actionsOf(directory, 0);
    expect(info).toMatchObject({ commitInfo: { operation: 'CREATE TABLE' } });
    expect(protocol).toEqual({ protocol: { minReaderVersion: 1, minWriterVersion: 2 } });
    expect(metaData!['metaData']).toMatchObject({ name: 'things', description: 'Things.', partitionColumns: ['place'] });
  });

  it('carries the progress of each partition, and the clock that it was given', async () => {
    const directory = directoryOf();
    const table = await openTable({ directory, schema, encoder, clock: { now: () => 1234 } });
    await table.commit({
      rows: [row(1)],
      txns: [
        { appId: 'a', version: 3 },
        { appId: 'b', version: 7 },
      ],
    });
    const actions = await actionsOf(directory, 1);
    expect(actions.filter((action) => 'txn' in action)).toEqual([
      { txn: { appId: 'a', version: 3, lastUpdated: 1234 } },
      { txn: { appId: 'b', version: 7, lastUpdated: 1234 } },
    ]);
    expect(actions[0]).toMatchObject({ commitInfo: { timestamp: 1234, isBlindAppend: true } });
    expect(actions.at(-1)).toMatchObject({ add: { partitionValues: { place: 'p' }, modificationTime: 1234, dataChange: true } });
  });

  it('leaves no temporary file behind', async () => {
    const directory = directoryOf();
    const table = await openTable({ directory, schema, encoder });
    await table.commit({ rows: [row(1)], txns: [] });
    expect((await readdir(logOf(directory))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is put where nothing is: of many rivals for a version one wins', async () => {
    const log = new CommitLog(directoryOf());
    await log.make();
    const wins = await Promise.all(Array.from({ length: 12 }, (_, n) => log.put(0, [{ txn: { appId: 'x', version: n } }])));
    expect(wins.filter(Boolean)).toHaveLength(1);
    expect(await log.read(0)).toEqual([{ txn: { appId: 'x', version: wins.indexOf(true) } }]);
  });

  it('whose answer was lost is known again by its txnId, and a rival is not taken for it', async () => {
    const log = new CommitLog(directoryOf());
    await log.make();
    const info = (txnId: string) => [
      { commitInfo: { timestamp: 1, operation: 'WRITE', operationParameters: {}, isBlindAppend: true, engineInfo: 'x', txnId } },
    ];
    // the commit takes effect and then its temporary file cannot be removed: the caller sees a failure of what succeeded
    const files = await import('../../src/storage/durable-file.js');
    const real = files.createDurable;
    const broken = vi.spyOn(files, 'createDurable');
    broken.mockImplementation(async (path, bytes) => {
      await real(path, bytes);
      throw Object.assign(new Error('no answer'), { code: 'EIO' });
    });
    expect(await log.put(0, info('mine'))).toBe(true);
    broken.mockRejectedValue(Object.assign(new Error('no answer'), { code: 'EIO' }));
    expect(await log.put(0, info('theirs'))).toBe(false);
    await expect(log.put(1, info('mine'))).rejects.toMatchObject({ code: 'EIO' });
  });

  it('of rows that were written already writes nothing', async () => {
    const table = await openTable({ directory: directoryOf(), schema, encoder });
    await table.commit({ rows: [row(1), row(2)], txns: [{ appId: 'a', version: 2 }] });
    expect(await table.commit({ rows: [row(1), row(2)], txns: [{ appId: 'a', version: 2 }] })).toEqual({
      version: 1,
      written: 0,
      absorbed: 2,
    });
    expect(await table.commit({ rows: [row(1)], txns: [{ appId: 'a', version: 1 }] })).toMatchObject({ written: 0, absorbed: 1 });
    expect(await ids(table)).toEqual([1, 2]);
  });

  it('L5: chosen against progress that another writer has moved is refused, and writes nothing', async () => {
    const directory = directoryOf();
    const [mine, theirs] = [await openTable({ directory, schema, encoder }), await openTable({ directory, schema, encoder })];
    await theirs.commit({ rows: [row(1)], txns: [{ appId: 'a', version: 1, after: undefined }] });
    await expect(mine.commit({ rows: [row(1), row(2)], txns: [{ appId: 'a', version: 2, after: undefined }] })).rejects.toMatchObject({
      code: 'PS4108',
      category: 'transient',
      message: expect.stringContaining('newer progress of a') as string,
    });
    await mine.commit({ rows: [row(2)], txns: [{ appId: 'a', version: 2, after: 1 }] });
    expect(await ids(mine)).toEqual([1, 2]);
  });

  it('that appends is not encoded again when others get there first', async () => {
    const directory = directoryOf();
    let encoded = 0;
    const counting = { ...encoder, encode: (batch: Parameters<typeof encoder.encode>[0]) => ((encoded += 1), encoder.encode(batch)) };
    const tables = await Promise.all(Array.from({ length: 4 }, () => openTable({ directory, schema, encoder: counting })));
    await Promise.all(
      tables.map(async (table, n) => {
        for (let i = 0; i < 5; i += 1) await table.commit({ rows: [row(n * 5 + i)], txns: [{ appId: `w${String(n)}`, version: i + 1 }] });
      }),
    );
    expect(encoded).toBe(20);
    expect(await ids(tables[0]!)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(tables[0]!.version).toBe(20);
  });

  it('loses to a change of the schema by somebody else', async () => {
    const directory = directoryOf();
    const table = await openTable({ directory, schema, encoder });
    const changed = JSON.stringify({ metaData: { ...(await actionsOf(directory, 0))[2]!['metaData'], configuration: { x: 'y' } } });
    vi.spyOn(CommitLog.prototype, 'put').mockImplementationOnce(async function (this: CommitLog, version) {
      await writeFile(this.commitPath(version), changed);
      return false;
    });
    await expect(table.commit({ rows: [row(1)], txns: [] })).rejects.toMatchObject({
      code: 'PS4108',
      message: expect.stringContaining('schema') as string,
    });
  });

  it('on a full disk says so, and the next one succeeds when there is room', async () => {
    const table = await openTable({ directory: directoryOf(), schema, encoder });
    const files = await import('../../src/storage/durable-file.js');
    vi.spyOn(files, 'writeDurable').mockRejectedValueOnce(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));
    await expect(table.commit({ rows: [row(1)], txns: [] })).rejects.toMatchObject({ code: 'PS3002', category: 'transient' });
    await table.commit({ rows: [row(1)], txns: [] });
    expect(await ids(table)).toEqual([1]);
  });
});

describe('a checkpoint', () => {
  const fill = async (directory: string, commits: number, checkpointEvery: number) => {
    const table = await openTable({
      directory,
      schema,
      encoder,
      checkpointEvery,
      onUpkeepFailed: (error) => {
        throw error;
      },
    });
    for (let n = 1; n <= commits; n += 1)
      await table.commit({ rows: [row(n, n % 3 === 0 ? 'a b/c=d%25:é' : 'p')], txns: [{ appId: 'a', version: n }] });
    await table.close();
  };

  it('stands for the commits before it: a table opens without them', async () => {
    const directory = directoryOf();
    await fill(directory, 12, 5);
    expect(JSON.parse(await readFile(join(logOf(directory), '_last_checkpoint'), 'utf8'))).toEqual({ version: 10, size: 13 });
    for (let version = 0; version < 10; version += 1) await rm(join(logOf(directory), commitName(version)));
    const table = await openTable({ directory, schema, encoder });
    expect(table.version).toBe(12);
    expect(await ids(table)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(await table.txn('a')).toBe(12);
    expect(await table.count()).toBe(12);
    await table.commit({ rows: [row(13)], txns: [] });
    await table.checkpoint();
    expect(await (await openTable({ directory, schema, encoder })).count()).toBe(13);
  });

  it.each(['missing', 'torn', 'of a checkpoint that is gone'])('is found although the hint is %s', async (what) => {
    const directory = directoryOf();
    await fill(directory, 7, 3);
    const hint = join(logOf(directory), '_last_checkpoint');
    if (what === 'missing') await rm(hint);
    if (what === 'torn') await writeFile(hint, '{"ver');
    if (what.startsWith('of')) await rm(join(logOf(directory), `${'6'.padStart(20, '0')}.checkpoint.parquet`));
    expect(await ids(await openTable({ directory, schema, encoder }))).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('has every column PLAIN and without dictionary', async () => {
    const directory = directoryOf();
    await fill(directory, 4, 4);
    const bytes = await readFile(join(logOf(directory), `${'4'.padStart(20, '0')}.checkpoint.parquet`));
    const file = await ParquetFile.fromFile(new Blob([bytes]));
    const group = file.metadata().rowGroup(0);
    expect(group.numColumns()).toBeGreaterThan(20);
    for (let at = 0; at < group.numColumns(); at += 1) {
      // RLE is how V1 pages write the levels that say where there are values
      const encodings = group
        .column(at)
        .encodings()
        .map((encoding) => parquet.Encoding[encoding]);
      expect(encodings.filter((name) => name !== 'RLE')).toEqual(['PLAIN']);
    }
  });

  it('that cannot be written is told, and writing goes on', async () => {
    const failures: unknown[] = [];
    const broken = { ...encoder, checkpoint: () => Promise.reject(new Error('no checkpoint today')) };
    const table = await openTable({
      directory: directoryOf(),
      schema,
      encoder: broken,
      checkpointEvery: 1,
      onUpkeepFailed: (error) => failures.push(error),
    });
    await table.commit({ rows: [row(1)], txns: [] });
    await table.commit({ rows: [row(2)], txns: [] });
    await table.close();
    expect(failures).toHaveLength(2);
    expect(await ids(table)).toEqual([1, 2]);
  });
});

describe('clearing up', () => {
  const day = 86_400_000;
  const age = async (directory: string, days: number) => {
    const then = new Date(Date.now() - days * day);
    for (const name of await readdir(directory, { recursive: true })) await utimes(join(directory, name), then, then);
  };

  it('deletes what crashes left behind and merges replaced, once it is old, and nothing that is live', async () => {
    const directory = directoryOf();
    let now = Date.now() - 10 * day;
    const merging = schemaOf({ id: 'int64', n: 'int64' }, { mode: 'merge', key: ['id'] });
    const table = await openTable({ directory, schema: merging, encoder, clock: { now: () => now } });
    await table.commit({
      rows: [
        { id: 1, n: 1 },
        { id: 2, n: 1 },
      ],
      txns: [],
    });
    await table.commit({ rows: [{ id: 1, n: 2 }], txns: [] });
    await writeFile(join(directory, 'part-00000-orphan-c000.zstd.parquet'), 'x');
    await writeFile(join(logOf(directory), '.x.tmp'), 'x');
    await mkdir(join(directory, 'place=p'));
    await writeFile(join(directory, 'place=p', 'part-00000-orphan-c000.zstd.parquet'), 'x');
    now = Date.now();
    expect(await table.vacuum()).toEqual([]);
    await age(directory, 8);
    await writeFile(join(directory, 'part-00000-young-c000.zstd.parquet'), 'x');
    const planned = await table.vacuum({ dryRun: true });
    expect(planned).toHaveLength(4);
    expect(await table.vacuum()).toEqual(planned);
    expect((await readdir(directory)).filter((name) => name.endsWith('.parquet')).length).toBe(2);
    expect(
      (await rowsOf(await openTable({ directory, schema: merging, encoder }))).map(({ id, n }) => `${String(id)}:${String(n)}`).sort(),
    ).toEqual(['1:2', '2:1']);
  });

  it('deletes old commits that a checkpoint stands for, and none after it', async () => {
    const directory = directoryOf();
    const table = await openTable({ directory, schema, encoder, checkpointEvery: 4 });
    for (let n = 1; n <= 10; n += 1) await table.commit({ rows: [row(n)], txns: [{ appId: 'a', version: n }] });
    await table.close();
    expect(await table.vacuum()).toEqual([]);
    await age(directory, 31);
    const gone = await table.vacuum();
    expect(gone.length).toBe(9);
    expect((await readdir(logOf(directory))).sort()).toEqual(
      ['_last_checkpoint', commitName(8), commitName(9), commitName(10), `${'8'.padStart(20, '0')}.checkpoint.parquet`].sort(),
    );
    const again = await openTable({ directory, schema, encoder });
    expect(await ids(again)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await again.txn('a')).toBe(10);
  });

  it('keeps a file that was replaced lately, old as the file itself may be', async () => {
    const directory = directoryOf();
    const merging = schemaOf({ id: 'int64', n: 'int64' }, { mode: 'merge', key: ['id'] });
    const table = await openTable({ directory, schema: merging, encoder });
    await table.commit({ rows: [{ id: 1, n: 1 }], txns: [] });
    await age(directory, 20);
    await table.commit({ rows: [{ id: 1, n: 2 }], txns: [] });
    expect(await table.vacuum()).toEqual([]);
    await table.checkpoint();
    expect(await table.vacuum()).toEqual([]);
    expect(await table.vacuum({ olderThanMs: -1 })).toHaveLength(1);
  });
});

it('a data file that is gone is a named failure', async () => {
  const directory = directoryOf();
  const table = await openTable({ directory, schema: schemaOf({ id: 'int64' }), encoder });
  await table.commit({ rows: [{ id: 1 }], txns: [] });
  const [file] = (await readdir(directory)).filter((name) => name.endsWith('.parquet'));
  await rename(join(directory, file!), join(directory, 'gone'));
  await expect(rowsOf(table)).rejects.toMatchObject({ code: 'PS4108' });
});

describe('a log that has lost commits', () => {
  async function filled(): Promise<string> {
    const directory = directoryOf();
    const table = await openTable({ directory, schema, encoder, checkpointEvery: 4 });
    for (let id = 1; id <= 6; id += 1) await table.commit({ rows: [row(id)], txns: [{ appId: 'a', version: id }] });
    await table.close();
    return directory;
  }

  it('is refused when a later commit builds upon a missing one', async () => {
    const directory = await filled();
    await rm(join(logOf(directory), commitName(5)));
    await expect(openTable({ directory, schema, encoder })).rejects.toMatchObject({
      code: 'PS3012',
      message: expect.stringContaining('version 5'),
    });
    expect(await readdir(logOf(directory))).not.toContain(commitName(5));
  });

  it('is refused when the checkpoint is gone that the commits begin with', async () => {
    const directory = await filled();
    for (const name of await readdir(logOf(directory))) {
      if (name.endsWith('.parquet') || name === '_last_checkpoint' || Number.parseInt(name, 10) < 4) await rm(join(logOf(directory), name));
    }
    await expect(openTable({ directory, schema, encoder })).rejects.toMatchObject({ code: 'PS3012' });
  });

  it('is refused when nothing of it is left beside the data files', async () => {
    const directory = await filled();
    await rm(logOf(directory), { recursive: true });
    await expect(openTable({ directory, schema, encoder })).rejects.toMatchObject({
      code: 'PS3012',
      message: expect.stringContaining('no log'),
    });
  });
});
