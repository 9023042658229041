import { closeSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PenstockError } from '../../diagnostics/index.js';

/** Where the store's lock file has the lock of writers, by the sizes of a mutex there; nothing where it is not known. */
const LOCK_AT: Readonly<Record<string, number | undefined>> = { 'linux x64': 64, 'linux arm64': 128 };
const MAGIC = 0xbeefc0de;
const MAGIC_AT = 0;
const CHANGE_AT = 8;
/** Of the lock's word: the thread that holds it; the other bits say that somebody waits, or that the holder died. */
const THREAD_BITS = 0x3fffffff;

/** How long a holder may stay in one transaction before nobody waits for it any longer, in milliseconds. */
const PATIENCE_MS = 10_000;
const LOOK_MS = 25;

interface Held {
  readonly thread: number;
  /** Grows with each transaction. */
  readonly change: bigint;
}

/**
 * Resolves when the store of a directory can be opened without waiting in a call that blocks. Rejects with PS3009 when one process has been in the
 * same transaction for ten seconds: it is stopped, or hangs.
 */
export async function untilWritable(directory: string, patienceMs = PATIENCE_MS): Promise<void> {
  const first = heldBy(directory);
  const since = performance.now();
  for (let now = first; now !== undefined && now.thread === first?.thread && now.change === first.change; now = heldBy(directory)) {
    if (performance.now() - since >= patienceMs) throw heldUp(directory, now.thread);
    await pause(LOOK_MS);
  }
}

/** The error that says who holds up all writing; nothing when it is nobody, or this process itself. */
export function obstacleOf(directory: string): PenstockError | undefined {
  const held = heldBy(directory);
  return held === undefined || processOf(held.thread)?.pid === process.pid ? undefined : heldUp(directory, held.thread);
}

/** Nothing while nobody writes, when the writer is dead (the next one takes its lock over), and where the lock cannot be read. */
function heldBy(directory: string): Held | undefined {
  const at = LOCK_AT[`${process.platform} ${process.arch}`];
  const file = at === undefined ? undefined : lockFile(join(directory, 'lock.mdb'), at + 4);
  if (at === undefined || file === undefined || file.readUInt32LE(MAGIC_AT) !== MAGIC) return undefined;
  const thread = file.readUInt32LE(at) & THREAD_BITS;
  return thread === 0 || processOf(thread) === undefined ? undefined : { thread, change: file.readBigUInt64LE(CHANGE_AT) };
}

/**
 * The first bytes of the lock file. Where the store is open in this process they are read from its memory: whoever opens the file a second time and
 * closes it gives up the process's claim on it, and another one that leaves would tear the lock down.
 */
function lockFile(path: string, length: number): Buffer | undefined {
  try {
    const mapped = startOf(realpathSync(path));
    return mapped === undefined ? readAt(path, 0, length) : readAt('/proc/self/mem', mapped, length);
  } catch {
    // Not there yet, or not to be read: then nothing is known of it, which is an answer.
    return undefined;
  }
}

/** Where a file begins in the memory of this process; nothing when it is not there. */
function startOf(path: string): number | undefined {
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    if (!line.endsWith(` ${path}`)) continue;
    const [, start, offset] = /^([0-9a-f]+)-\S+ \S+ ([0-9a-f]+) /.exec(line) ?? [];
    if (start !== undefined && Number.parseInt(offset ?? '', 16) === 0) return Number.parseInt(start, 16);
  }
  return undefined;
}

function readAt(path: string, position: number, length: number): Buffer | undefined {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return readSync(file, bytes, 0, length, position) === length ? bytes : undefined;
  } finally {
    closeSync(file);
  }
}

function heldUp(directory: string, thread: number): PenstockError {
  const holder = processOf(thread);
  const who = holder === undefined ? 'another process' : `process ${holder.pid}${holder.stopped ? ', which is stopped,' : ''}`;
  return new PenstockError('PS3009', `${who} holds the store in ${directory} in the middle of a write`, {
    category: 'transient',
    help: `let it go on (kill -CONT${holder === undefined ? '' : ` ${holder.pid}`}) or end it (kill -9): nothing that was acknowledged is lost`,
  });
}

interface Holder {
  readonly pid: number;
  readonly stopped: boolean;
}

/** The process of a thread; nothing when there is no such thread. */
function processOf(thread: number): Holder | undefined {
  const status = statusOf(thread);
  const pid = /^Tgid:\s*(\d+)/m.exec(status)?.[1];
  const state = /^State:\s*(\w)/m.exec(status)?.[1];
  return pid === undefined || state === 'Z' || state === 'X' ? undefined : { pid: Number(pid), stopped: state === 'T' || state === 't' };
}

function statusOf(thread: number): string {
  try {
    return readFileSync(`/proc/${thread}/status`, 'latin1');
  } catch {
    // There is no such thread, or none that can be seen from here.
    return '';
  }
}
