import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { PenstockError } from '../../diagnostics/index.js';
import type { Kv, KvEntry, KvRange, KvTable } from './kv.js';
import { obstacleOf } from './write-lock.js';

export interface KvOptions {
  /** Made when it is not there, with mode 0700. */
  readonly directory: string;
  /** Every table that will be asked for. */
  readonly tables: readonly string[];
}

/** 8 KiB pages hold three records of 2 KB without an overflow page, and make half as deep a tree as 4 KiB. */
const PAGE_BYTES = 8192;

/** What must fit behind the end of the data before writing is tried again. */
const ROOM_BYTES = 256 * 1024;

/** A transaction that has not begun after so long is told, in milliseconds. */
const LONG_WAIT_MS = 2000;

const EIO = 5;

/** ENOSPC, EDQUOT, EFBIG and the store's own MDB_MAP_FULL: as numbers from the store, as names from Node. */
const FULL: ReadonlySet<unknown> = new Set([28, 122, 27, -30792, 'ENOSPC', 'EDQUOT', 'EFBIG']);

type Rows = Database<Buffer, Uint8Array>;

/** The stores that are open in this process. */
const opened = new Set<LmdbKv>();

/** Opens the store of a directory. Throws PS3001 when it cannot. */
export function openKv({ directory, tables }: KvOptions): Kv {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const root = open<Buffer, Uint8Array>({
      path: directory,
      maxDbs: tables.length + 4,
      pageSize: PAGE_BYTES,
      encoding: 'binary',
      keyEncoding: 'binary',
      cache: false,
      // Visible means durable: a commit resolves after its flush, and no reader sees it earlier.
      overlappingSync: false,
      // With batching by event turn a failed commit rejects a promise that nobody can reach.
      eventTurnBatching: false,
    });
    root.readerCheck();
    const rows = tables.map((name) => [name, root.openDB({ name, encoding: 'binary', keyEncoding: 'binary', cache: false })] as const);
    const kv = new LmdbKv(directory, root, new Map(rows.map(([name, database]) => [name, new LmdbTable(database as Rows)])));
    if (opened.size === 0) process.on('exit', endWithoutWaiting);
    opened.add(kv);
    return kv;
  } catch (error) {
    throw translate(error, directory, `the store in ${directory} cannot be opened`);
  }
}

/**
 * The end of a process waits for its threads, and one of them may wait for another process that is stopped: then the signal that asked for the end, or
 * would have, ends it at once. There is no other way past a thread that cannot be woken.
 */
function endWithoutWaiting(code: number): void {
  if (![...opened].some((kv) => kv.obstacle() !== undefined)) return;
  const signal = code === INTERRUPTED ? 'SIGINT' : 'SIGTERM';
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** The exit code after Ctrl-C. */
const INTERRUPTED = 130;

class LmdbKv implements Kv {
  private full = false;
  /** When the transactions that have not begun were asked for. */
  private readonly waiting = new Set<{ readonly since: number }>();

  constructor(
    private readonly directory: string,
    private readonly root: RootDatabase<Buffer, Uint8Array>,
    private readonly tables: ReadonlyMap<string, KvTable>,
  ) {}

  table(name: string): KvTable {
    const table = this.tables.get(name);
    if (table === undefined) throw new PenstockError('PS7000', `the store was opened without a table ${name}`);
    return table;
  }

  async transaction<T>(work: () => T): Promise<T> {
    // The store shouts about each commit that fails, so it is not asked again before there is room.
    if (this.full && !hasRoom(this.directory)) throw diskFull(this.directory, undefined);
    // What `work` throws is its own and never taken for the store's.
    let thrown: { readonly error: unknown } | undefined;
    const wait = { since: performance.now() };
    this.waiting.add(wait);
    try {
      const result = await this.root.childTransaction(() => {
        this.waiting.delete(wait);
        try {
          return work();
        } catch (error) {
          thrown = { error };
          throw error;
        }
      });
      this.full = false;
      return result;
    } catch (error) {
      if (thrown !== undefined) throw thrown.error;
      const translated = translate(await commitErrorOf(error), this.directory, `the store in ${this.directory} did not take a write`);
      this.full = translated.code === 'PS3002';
      throw translated;
    } finally {
      this.waiting.delete(wait);
    }
  }

  obstacle(): PenstockError | undefined {
    const [first] = this.waiting;
    return first === undefined || performance.now() - first.since < LONG_WAIT_MS ? undefined : obstacleOf(this.directory);
  }

  refresh(): void {
    this.root.resetReadTxn();
  }

  lastChange(): number {
    return (this.root.getStats() as { readonly lastTxnId: number }).lastTxnId;
  }

  sweep(): void {
    this.root.readerCheck();
  }

  async close(): Promise<void> {
    await this.root.close();
    opened.delete(this);
    if (opened.size === 0) process.off('exit', endWithoutWaiting);
  }
}

class LmdbTable implements KvTable {
  constructor(private readonly rows: Rows) {}

  get(key: Uint8Array): Buffer | undefined {
    return this.rows.get(key);
  }

  *range(range: KvRange): Iterable<KvEntry> {
    for (const { key, value } of this.rows.getRange({ ...range, snapshot: false })) yield { key: key as Buffer, value };
  }

  put(key: Uint8Array, value: Uint8Array): void {
    void this.rows.put(key, value as Buffer);
  }

  remove(key: Uint8Array): void {
    void this.rows.remove(key);
  }
}

/** The reason of a failed commit hangs on the error as a promise of its own. */
async function commitErrorOf(error: unknown): Promise<unknown> {
  const reason = (error as { readonly commitError?: Promise<unknown> } | undefined)?.commitError;
  if (reason === undefined) return error;
  try {
    await reason;
    return error;
  } catch (cause) {
    return cause;
  }
}

function translate(error: unknown, directory: string, sentence: string): PenstockError {
  if (error instanceof PenstockError) return error;
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  // A write that ends early comes as an I/O error: whether it was for want of room, a file beside it can tell.
  if (FULL.has(code) || (code === EIO && !hasRoom(directory))) return diskFull(directory, error);
  const reason = error instanceof Error ? `: ${error.message}` : '';
  return new PenstockError('PS3001', `${sentence}${reason}`, { category: 'transient', cause: error });
}

function diskFull(directory: string, cause: unknown): PenstockError {
  return new PenstockError('PS3002', `there is no room left on the disk of ${directory}; nothing was written`, {
    category: 'transient',
    cause,
    help: 'free some space; writing goes on by itself',
  });
}

/** Whether a file as large as the data could still grow: true unless the system says that it is out of room, or at a limit of size. */
function hasRoom(directory: string): boolean {
  const path = join(directory, `room-${process.pid}`);
  try {
    const file = openSync(path, 'w', 0o600);
    try {
      const behind = statSync(join(directory, 'data.mdb')).size;
      const written = writeSync(file, Buffer.alloc(ROOM_BYTES), 0, ROOM_BYTES, behind);
      return written === ROOM_BYTES;
    } finally {
      closeSync(file);
      rmSync(path, { force: true });
    }
  } catch (error) {
    return !FULL.has((error as NodeJS.ErrnoException).code);
  }
}
