import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { PenstockError } from '../../diagnostics/index.js';
import type { ParquetEncoder } from './encoder.js';
import { DataFiles } from './data-files.js';
import { DeltaTable } from './delta-table.js';
import { KeyIndex } from './key-index.js';
import { CommitLog } from './log.js';
import { LogState } from './log-state.js';
import { parquetEncoder } from './parquet-encoder.js';
import { checkExisting, checkSchema, PROTOCOL, schemaString } from './schema.js';
import type { TableSchema } from './table.js';
import { tableFailure } from './table-failure.js';

export interface OpenTableOptions {
  /** Where the table lies; it is made when it is missing. */
  readonly directory: string;
  readonly schema: TableSchema;
  /** Tells the time that commits carry. Defaults to the system's clock. */
  readonly clock?: { now(): number };
  /** Turns rows into files. Share one among tables; without one the table makes its own and closes it. */
  readonly encoder?: ParquetEncoder;
  /** A checkpoint is made every so many commits. Defaults to 100. */
  readonly checkpointEvery?: number;
  /** Hears of upkeep that failed; the table itself goes on, and the next upkeep tries again. */
  readonly onUpkeepFailed?: (error: unknown) => void;
}

/**
 * Opens a Delta table, or makes it (protocol 1/2, no table features). Rejects with `PS3005` when the directory holds a table of another schema, or one
 * that needs features that are not known here, and with `PS3012` when commits are missing that others build upon, or all of them.
 */
export async function openTable({
  directory,
  schema,
  clock = Date,
  encoder,
  checkpointEvery = 100,
  onUpkeepFailed,
}: OpenTableOptions): Promise<DeltaTable> {
  checkSchema(schema);
  const codec = encoder ?? parquetEncoder();
  try {
    const log = new CommitLog(directory);
    await log.make();
    const state = await replay(log, codec);
    if (state.version < 0) await checkEmpty(directory, log);
    if (state.version < 0) await create(log, state, schema, clock.now());
    checkExisting(schema, directory, state.protocol, state.metaData);
    const keys = schema.key.length === 0 || schema.mode === 'append' ? undefined : await KeyIndex.open(directory, state.metaData!.id);
    const table = new DeltaTable({
      directory,
      schema,
      log,
      state,
      keys,
      files: new DataFiles(directory, schema, codec, () => clock.now()),
      encoder: codec,
      ownsEncoder: encoder === undefined,
      now: () => clock.now(),
      checkpointEvery,
      onUpkeepFailed: onUpkeepFailed ?? (() => undefined),
    });
    await table.catchUp();
    return table;
  } catch (error) {
    if (encoder === undefined) await codec.close();
    throw tableFailure(error, schema.name, 'could not be opened');
  }
}

async function replay(log: CommitLog, encoder: ParquetEncoder): Promise<LogState> {
  const state = new LogState();
  const checkpoint = await log.latestCheckpoint();
  if (checkpoint !== undefined) state.apply(await encoder.decodeCheckpoint(await readFile(log.checkpointPath(checkpoint))), checkpoint);
  await follow(log, state);
  for (let newest = await log.newest(); newest > state.version; newest = await log.newest()) {
    const reached = state.version;
    await follow(log, state); // others may have committed meanwhile
    if (state.version === reached) {
      throw damaged(`version ${String(reached + 1)} of the table is missing in ${log.directory}, and the log goes on to ${String(newest)}`);
    }
  }
  return state;
}

/** A table that has data files and no log would be taken for a new one, and all its rows for absent. */
async function checkEmpty(directory: string, log: CommitLog): Promise<void> {
  const left = (await readdir(directory, { recursive: true })).find((path) => path.endsWith('.parquet'));
  // somebody else may have made the table meanwhile, and written to it
  if (left !== undefined && (await log.newest()) < 0) throw damaged(`the table in ${directory} has data files (${left}) and no log`);
}

function damaged(what: string): PenstockError {
  return new PenstockError('PS3012', what, {
    category: 'permanent',
    help: 'put the missing files back; going on would lose the rows that they name in silence',
  });
}

/** Applies the commits after a state's version. */
async function follow(log: CommitLog, state: LogState): Promise<void> {
  for (let actions = await log.read(state.version + 1); actions !== undefined; actions = await log.read(state.version + 1)) {
    state.apply(actions, state.version + 1);
  }
}

/** Version 0; when somebody else makes the table at the same time, theirs is taken. */
async function create(log: CommitLog, state: LogState, schema: TableSchema, now: number): Promise<void> {
  await log.put(0, [
    {
      commitInfo: {
        timestamp: now,
        operation: 'CREATE TABLE',
        operationParameters: { partitionBy: JSON.stringify(schema.partitionBy) },
        isBlindAppend: true,
        engineInfo: 'penstock',
        txnId: randomUUID(),
      },
    },
    { protocol: PROTOCOL },
    {
      metaData: {
        id: randomUUID(),
        name: schema.name,
        description: schema.about,
        format: { provider: 'parquet', options: {} },
        schemaString: schemaString(schema),
        partitionColumns: schema.partitionBy,
        configuration: {},
        createdTime: now,
      },
    },
  ]);
  await follow(log, state);
}
