import { closeSync, constants, fstatSync, fsync, linkSync, mkdirSync, openSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf } from './durable-file.js';

/** A file that is to lie under a name, whole and durable. */
export interface Placing {
  /** The file as it is now; it stays. */
  readonly local: string;
  readonly target: string;
  /** A name on the target's disk that nobody else uses. */
  readonly temporary: string;
  /** Leaves what is there under the name. */
  readonly ifAbsent: boolean;
  /** Nobody writes to the local file any more: target and local may be one file with two names. */
  readonly share: boolean;
}

export interface Placed {
  readonly bytes: number;
  readonly existed: boolean;
}

interface Ready {
  readonly placing: Placing;
  /** What gets the name: the local file or a copy of it, with its bytes on disk. */
  readonly source: string;
  readonly bytes: number;
  resolve(placed: Placed): void;
  reject(error: unknown): void;
}

/** A directory may be emptied and deleted by somebody else between two steps: then it is made again, so often. */
const ATTEMPTS = 5;
/** What says that a file cannot have two names here: another disk, or one that knows no links. */
const UNSHARED: ReadonlySet<string | undefined> = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

const synced = promisify(fsync);

/**
 * Puts files under their names. Contents are synced beside each other; the names of all files that are ready meanwhile are made together, and each
 * directory is synced once for all of them: one by one, a file in a new directory waits for the disk four times.
 *
 * Names are made by calls that block, since each takes less time than handing it to another thread: this belongs into a thread of its own.
 */
export class Placer {
  private ready: Ready[] = [];
  private naming = false;

  async place(placing: Placing): Promise<Placed> {
    if (placing.ifAbsent) {
      const there = sizeOf(placing.target);
      if (there !== undefined) return { bytes: there, existed: true };
    }
    const source = placing.share ? placing.local : await copied(placing);
    try {
      const bytes = await made(source);
      return await new Promise<Placed>((resolve, reject) => {
        this.ready.push({ placing, source, bytes, resolve, reject });
        if (!this.naming) void this.nameAll();
      });
    } catch (error) {
      if (!placing.share || !UNSHARED.has(errnoOf(error))) throw error;
      return this.place({ ...placing, share: false });
    } finally {
      removed(placing.temporary);
    }
  }

  /** Never rejects. */
  private async nameAll(): Promise<void> {
    this.naming = true;
    // What is asked for in this turn goes together.
    await Promise.resolve();
    while (this.ready.length > 0) {
      const batch = this.ready;
      this.ready = [];
      const directories = new Map<string, Ready[]>();
      const named = new Map<Ready, Placed>();
      for (const one of batch) {
        try {
          named.set(one, name(one, directories));
        } catch (error) {
          one.reject(error);
        }
      }
      await Promise.all(
        [...directories].map(async ([directory, waiting]) => {
          try {
            await made(directory);
          } catch (error) {
            // Gone again: what lay in it was deleted after it was placed.
            if (errnoOf(error) !== 'ENOENT') for (const one of waiting) one.reject(error);
          }
        }),
      );
      for (const [one, placed] of named) one.resolve(placed);
    }
    this.naming = false;
  }
}

/** Gives a file its name, and notes which directories have a new entry. */
function name(one: Ready, directories: Map<string, Ready[]>): Placed {
  const { target } = one.placing;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const directory = dirname(target);
      const first = mkdirSync(directory, { recursive: true });
      note(directories, directory, one);
      if (first !== undefined) {
        const above = dirname(first);
        for (let at = directory; at !== above; at = dirname(at)) note(directories, dirname(at), one);
      }
      return linked(one);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || attempt === ATTEMPTS || sizeOf(one.source) === undefined) throw error;
    }
  }
}

function linked({ placing: { target, temporary, ifAbsent, share }, source, bytes }: Ready): Placed {
  if (!share && !ifAbsent) {
    const existed = sizeOf(target) !== undefined;
    renameSync(source, target);
    return { bytes, existed };
  }
  try {
    linkSync(source, target);
    return { bytes, existed: false };
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  if (ifAbsent) return { bytes: sizeOf(target) ?? bytes, existed: true };
  linkSync(source, temporary);
  renameSync(temporary, target);
  return { bytes, existed: true };
}

function note(directories: Map<string, Ready[]>, directory: string, one: Ready): void {
  const waiting = directories.get(directory);
  if (waiting === undefined) directories.set(directory, [one]);
  else waiting.push(one);
}

/** A copy shares its blocks with the original where the file system can. */
async function copied({ local, temporary }: Placing): Promise<string> {
  try {
    await copyFile(local, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } catch (error) {
    removed(temporary);
    throw error;
  }
  return temporary;
}

/** Makes a file's bytes, or a directory's entries, durable; answers the size. */
async function made(path: string): Promise<number> {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    await synced(file);
    return size;
  } finally {
    closeSync(file);
  }
}

function sizeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true ? found.size : undefined;
}

function removed(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
