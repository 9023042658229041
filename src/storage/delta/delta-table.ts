import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { PenstockError } from '../../diagnostics/index.js';
import type { Action, AddAction, RemoveAction } from './actions.js';
import { readCell, storeCell, type StoredRow } from './cell.js';
import type { DataFiles } from './data-files.js';
import type { ParquetEncoder } from './encoder.js';
import { KeyIndex, keyText } from './key-index.js';
import type { CommitLog } from './log.js';
import type { LiveFile, LogState } from './log-state.js';
import { dedupeRows, overlay } from './merge.js';
import type { Cell, Row, Table, TableCommit, TableSchema } from './table.js';
import { tableFailure } from './table-failure.js';
import { vacuum, type VacuumOptions } from './vacuum.js';

export interface DeltaTableParts {
  readonly directory: string;
  readonly schema: TableSchema;
  readonly log: CommitLog;
  readonly state: LogState;
  readonly keys: KeyIndex | undefined;
  readonly files: DataFiles;
  readonly encoder: ParquetEncoder;
  readonly ownsEncoder: boolean;
  readonly now: () => number;
  readonly checkpointEvery: number;
  readonly onUpkeepFailed: (error: unknown) => void;
}

/** How often a commit is tried while rivals get there first. */
const ATTEMPTS = 50;
/** Removed files are named in checkpoints for a week, so that readers of older versions find them. */
const KEPT_MS = 7 * 86_400_000;
const ROWS_PER_TURN = 200;

/** What a commit would change. */
interface Plan {
  readonly added: readonly { readonly add: AddAction; readonly rows: readonly StoredRow[] }[];
  readonly removed: readonly RemoveAction[];
  readonly written: number;
}

/** A table in a directory of this machine; several processes may write it at once. Made by `openTable`. */
export class DeltaTable implements Table {
  private readonly keyAt: readonly number[];
  private readonly frozenAt: readonly number[];
  private readonly allAt: readonly number[];
  private readonly known: ReadonlySet<string>;
  private turn: Promise<unknown> = Promise.resolve();
  private upkeep: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(private readonly parts: DeltaTableParts) {
    const placeOf = (name: string) => parts.schema.columns.findIndex((column) => column.name === name);
    this.keyAt = parts.schema.key.map(placeOf);
    this.frozenAt = [...parts.schema.key, ...parts.schema.preserveOnUpdate].map(placeOf);
    this.allAt = parts.schema.columns.map((_, at) => at);
    this.known = new Set(parts.schema.columns.map((column) => column.name));
  }

  get schema(): TableSchema {
    return this.parts.schema;
  }

  /** The newest version that this table has seen. */
  get version(): number {
    return this.parts.state.version;
  }

  check(row: Row): Error | undefined {
    try {
      this.store(row);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  commit(batch: TableCommit): Promise<{ readonly version: number; readonly written: number; readonly absorbed: number }> {
    return this.alone('could not be written', () => this.commitAlone(batch));
  }

  txn(appId: string): Promise<number | undefined> {
    return this.alone('could not be read', async () => {
      await this.refresh();
      return this.parts.state.txns.get(appId);
    });
  }

  async count(): Promise<number> {
    let rows = 0;
    for (const file of await this.liveFiles()) rows += file.rows ?? (await this.readFile(file, [])).length;
    return rows;
  }

  async *rows(): AsyncGenerator<Readonly<Record<string, Cell>>> {
    const { columns } = this.schema;
    for (const file of await this.liveFiles()) {
      for (const row of await this.readFile(file, this.allAt)) {
        yield Object.fromEntries(columns.map(({ name, type }, at) => [name, readCell(type, row[at]!)]));
      }
    }
  }

  /** Deletes files that no version needs any more: what crashes left behind, and what merges replaced. Answers with the paths, relative to the table. */
  async vacuum(options: VacuumOptions = {}): Promise<readonly string[]> {
    return this.alone('could not be cleared up', async () => {
      await this.refresh();
      await this.upkeep;
      const { directory, log, state, encoder, now } = this.parts;
      return vacuum({ directory, log, state, encoder, now: now() }, options);
    });
  }

  /** Makes a checkpoint of the newest version now. */
  async checkpoint(): Promise<void> {
    await this.alone('could not be read', () => this.refresh());
    await this.upkeep;
    await this.writeCheckpoint(this.parts.state.version);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.turn.catch(() => undefined); // its caller was told
    await this.upkeep;
    await this.saveKeys('always').catch((error: unknown) => this.parts.onUpkeepFailed(error));
    if (this.parts.ownsEncoder) await this.parts.encoder.close();
  }

  /** Reads the keys of files that the index does not know yet. */
  async catchUp(): Promise<void> {
    const { keys, state, files } = this.parts;
    if (keys === undefined) return;
    for (const file of state.files.values()) {
      if (!keys.hasFile(file.path))
        keys.add(
          file.path,
          keysOf(
            await files.read(file, this.keyAt),
            this.keyAt.map((_, at) => at),
          ),
        );
    }
  }

  /** One after the other: what reads or moves the state never overlaps. */
  private alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work, work).catch((error: unknown) => {
      throw tableFailure(error, this.schema.name, what);
    });
    this.turn = result.catch(() => undefined); // the caller has it; the next one starts anew
    return result;
  }

  private async commitAlone({ rows, txns }: TableCommit): Promise<{ version: number; written: number; absorbed: number }> {
    const { state } = this.parts;
    const stored: StoredRow[] = [];
    for (const row of rows) {
      stored.push(this.store(row));
      if (stored.length % ROWS_PER_TURN === 0) await nextTurn();
    }
    await this.refresh();
    const seen = new Map(txns.map(({ appId }) => [appId, state.txns.get(appId)]));
    if (txns.length > 0 && txns.every(({ appId, version }) => (seen.get(appId) ?? -1) >= version)) {
      return { version: state.version, written: 0, absorbed: rows.length };
    }
    for (const txn of txns) if ('after' in txn && txn.after !== seen.get(txn.appId)) throw this.fenced(txn.appId);
    const { metaData, protocol } = state;
    let plan = await this.plan(stored);
    for (let attempt = 1; ; attempt += 1) {
      if (plan.written === 0 && plan.removed.length === 0 && txns.length === 0) {
        return { version: state.version, written: 0, absorbed: rows.length };
      }
      const actions = this.actionsOf(plan, txns);
      if (await this.parts.log.put(state.version + 1, actions)) {
        state.apply(actions, state.version + 1);
        for (const { add, rows: inside } of plan.added) this.parts.keys?.add(add.path, keysOf(inside, this.keyAt));
        this.keepUp();
        return { version: state.version, written: plan.written, absorbed: rows.length - plan.written };
      }
      if (attempt === ATTEMPTS) throw this.conflict(`was written by others ${String(ATTEMPTS)} times while this commit waited`);
      const before = state.version;
      const moved = await this.refresh();
      if (state.version === before) await pause(2); // the rival's file has its name and is not yet seen here
      if (state.metaData !== metaData || state.protocol !== protocol)
        throw this.conflict('was changed in its schema or protocol by somebody else');
      for (const { appId } of txns) if (state.txns.get(appId) !== seen.get(appId)) throw this.fenced(appId);
      if (moved && this.schema.mode !== 'append') {
        await Promise.all(plan.added.map(({ add }) => this.parts.files.discard(add.path)));
        plan = await this.plan(stored);
      }
    }
  }

  /** Chooses what to write against the state as it is now, and writes the files. */
  private async plan(stored: readonly StoredRow[]): Promise<Plan> {
    if (this.schema.mode === 'append') return { added: await this.parts.files.write(stored), removed: [], written: stored.length };
    await this.catchUp();
    return this.schema.mode === 'merge' ? this.planMerge(stored) : this.planInsert(stored);
  }

  private async planInsert(stored: readonly StoredRow[]): Promise<Plan> {
    const inBatch = new Set<string>();
    const fresh = stored.filter((row) => {
      const key = keyText(row, this.keyAt)!;
      if (inBatch.has(key)) return false;
      inBatch.add(key);
      return this.fileOf(key) === undefined;
    });
    return { added: await this.parts.files.write(fresh), removed: [], written: fresh.length };
  }

  private async planMerge(stored: readonly StoredRow[]): Promise<Plan> {
    const result: StoredRow[] = [];
    const touched = new Map<LiveFile, Map<string, StoredRow>>();
    for (const row of dedupeRows(stored, this.keyAt)) {
      const key = keyText(row, this.keyAt)!;
      const file = this.fileOf(key);
      if (file === undefined) result.push(row);
      else if (touched.has(file)) touched.get(file)!.set(key, row);
      else touched.set(file, new Map([[key, row]]));
    }
    let written = result.length;
    const removed: RemoveAction[] = [];
    for (const [file, updates] of touched) {
      let changed = 0;
      const rewritten = (await this.parts.files.read(file, this.allAt)).map((row) => {
        const update = updates.get(keyText(row, this.keyAt) ?? '');
        if (update === undefined) return row;
        const merged = overlay(row, update, this.frozenAt);
        if (merged !== row) changed += 1;
        return merged;
      });
      if (changed === 0) continue;
      written += changed;
      result.push(...rewritten);
      removed.push({
        path: file.path,
        deletionTimestamp: this.parts.now(),
        dataChange: true,
        extendedFileMetadata: true,
        partitionValues: file.partitionValues,
        size: file.size,
      });
    }
    return { added: await this.parts.files.write(result), removed, written };
  }

  private actionsOf({ added, removed }: Plan, txns: TableCommit['txns']): readonly Action[] {
    const now = this.parts.now();
    const merge = this.schema.mode === 'merge';
    return [
      {
        commitInfo: {
          timestamp: now,
          operation: merge ? 'MERGE' : 'WRITE',
          operationParameters: merge ? { predicate: JSON.stringify(this.schema.key) } : { mode: 'Append' },
          isBlindAppend: this.schema.mode === 'append',
          engineInfo: 'penstock',
          txnId: randomUUID(),
        },
      },
      ...txns.map(({ appId, version }) => ({ txn: { appId, version, lastUpdated: now } })),
      ...removed.map((remove) => ({ remove })),
      ...added.map(({ add }) => ({ add })),
    ];
  }

  private store(row: Row): StoredRow {
    const { columns, partitionBy, key, mode } = this.schema;
    const stored = columns.map((column) => storeCell(column, row[column.name]));
    for (const name in row) {
      if (!this.known.has(name)) throw refused(`the table has no column ${name}`);
    }
    for (let at = 0; at < columns.length; at += 1) {
      const { name } = columns[at]!;
      if (stored[at] === '' && partitionBy.includes(name))
        throw refused(`column ${name} partitions the table, where an empty text cannot be told from none`);
      if (stored[at] === null && mode !== 'append' && key.includes(name)) throw refused(`column ${name} is a key and has no value`);
    }
    return stored;
  }

  private fileOf(key: string): LiveFile | undefined {
    const path = this.parts.keys!.find(key);
    return path === undefined ? undefined : this.parts.state.files.get(path);
  }

  private async readFile(file: LiveFile, at: readonly number[]): Promise<readonly StoredRow[]> {
    try {
      return await this.parts.files.read(file, at);
    } catch (error) {
      throw tableFailure(error, this.schema.name, 'could not be read');
    }
  }

  private async liveFiles(): Promise<readonly LiveFile[]> {
    return this.alone('could not be read', async () => {
      await this.refresh();
      return [...this.parts.state.files.values()];
    });
  }

  /** Applies what others have committed; says whether they added or removed files. */
  private async refresh(): Promise<boolean> {
    const { log, state } = this.parts;
    let moved = false;
    for (let actions = await log.read(state.version + 1); actions !== undefined; actions = await log.read(state.version + 1)) {
      moved ||= actions.some((action) => action.add !== undefined || action.remove !== undefined);
      state.apply(actions, state.version + 1);
    }
    return moved;
  }

  /** Checkpoints now and then, beside the writes; a failure is told and does not stop them. */
  private keepUp(): void {
    const { version } = this.parts.state;
    if (version % this.parts.checkpointEvery !== 0) return;
    this.upkeep = this.upkeep
      .then(() => this.writeCheckpoint(version))
      .then(() => this.saveKeys('worthwhile'))
      .catch((error: unknown) => this.parts.onUpkeepFailed(error));
  }

  private async saveKeys(when: 'always' | 'worthwhile'): Promise<void> {
    const { keys, state } = this.parts;
    await keys?.save(state.version, when, (path) => state.files.has(path));
  }

  private writeCheckpoint(version: number): Promise<void> {
    const { encoder, directory, now } = this.parts;
    return encoder.checkpoint({ tableDirectory: directory, version, keptSince: now() - KEPT_MS });
  }

  private fenced(appId: string): PenstockError {
    return this.conflict(`holds newer progress of ${appId}: another writer has its partition, or had it a moment ago`);
  }

  private conflict(what: string): PenstockError {
    return new PenstockError('PS4108', `table ${this.schema.name} ${what}`, { category: 'transient' });
  }
}

function keysOf(rows: readonly StoredRow[], keyAt: readonly number[]): readonly string[] {
  return rows.map((row) => keyText(row, keyAt)).filter((key) => key !== undefined);
}

function refused(why: string): PenstockError {
  return new PenstockError('PS4109', why, { category: 'permanent' });
}
