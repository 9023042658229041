import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PenstockError } from '../../diagnostics/index.js';
import { errnoOf, makeDirectory, syncDirectory, writeDurable } from '../durable-file.js';
import { openFileWork, sharedFileWork } from '../file-work.js';
import type { Placed, Placing } from '../placing.js';
import type { BlobStore } from './blob-store.js';

export interface LocalBlobsOptions {
  /** Everything lies below; it is made when it is missing. */
  readonly directory: string;
  /**
   * Where files are put together before they get their names: on the same file system. What a killed process leaves there belongs to nobody. Defaults to
   * a folder below `directory`.
   */
  readonly workshop?: string;
  /** Where files are put in place. Defaults to the thread that the process has for files, where its built file is there. */
  readonly run?: 'thread' | 'here';
}

/** The workshop below the store's own directory; no blob's path can begin so. */
const WORKSHOP = '.tmp';
/** What file systems take for one name, in bytes. */
const NAME_BYTES = 255;
const PATH_BYTES = 1024;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Throws a permanent `PS4111` on a path that is not plainly below the store: absolute, with a backslash or a control character, with an empty, `.` or
 * `..` segment, with a segment over 255 bytes, longer than 1024 bytes altogether, or not well-formed Unicode.
 */
export function checkBlobPath(path: string): void {
  const why = fault(path);
  if (why === undefined) return;
  const shown = JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path);
  throw new PenstockError('PS4111', `the path ${shown} ${why}`, { category: 'permanent' });
}

function fault(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (Buffer.byteLength(path) > PATH_BYTES) return `is longer than ${String(PATH_BYTES)} bytes`;
  if (path.includes('\\')) return 'has a backslash';
  if (LONE_SURROGATE.test(path)) return 'is not well-formed Unicode';
  for (let at = 0; at < path.length; at += 1) {
    const code = path.charCodeAt(at);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 'has a control character';
  }
  const segments = path.split('/');
  if (segments[0] === WORKSHOP) return `begins with ${WORKSHOP}, which the store keeps for itself`;
  for (const segment of segments) {
    if (segment === '') return 'has an empty segment';
    if (segment === '.' || segment === '..') return `has the segment ${segment}`;
    if (Buffer.byteLength(segment) > NAME_BYTES) return `has a segment of more than ${String(NAME_BYTES)} bytes`;
  }
  return undefined;
}

/** Blobs as files of this machine. A blob is whole or absent, whatever happens while it is written. */
export async function openLocalBlobs({ directory, workshop = join(directory, WORKSHOP), run }: LocalBlobsOptions): Promise<BlobStore> {
  await named('the store', 'could not be opened', async () => {
    await makeDirectory(directory);
    await makeDirectory(workshop);
  });
  const work = run === undefined ? sharedFileWork() : openFileWork(run);
  return new LocalBlobs(directory, workshop, (placing) => work.place(placing));
}

class LocalBlobs implements BlobStore {
  constructor(
    private readonly directory: string,
    private readonly workshop: string,
    private readonly place: (placing: Placing) => Promise<Placed>,
  ) {}

  putFile: BlobStore['putFile'] = async (path, localPath, { ifAbsent = false, frozen = false } = {}) => {
    checkBlobPath(path);
    const target = join(this.directory, path);
    const temporary = join(this.workshop, randomUUID());
    return named(path, 'could not be stored', () => this.place({ local: localPath, target, temporary, ifAbsent, share: frozen }));
  };

  put: BlobStore['put'] = (path, bytes, { ifAbsent = false } = {}) => this.write(path, bytes, ifAbsent);

  async get(path: string): Promise<Buffer | undefined> {
    checkBlobPath(path);
    return orNothing(path, () => readFile(join(this.directory, path)));
  }

  async head(path: string): Promise<{ readonly bytes: number } | undefined> {
    checkBlobPath(path);
    const found = await orNothing(path, () => stat(join(this.directory, path)));
    return found?.isFile() === true ? { bytes: found.size } : undefined;
  }

  async *list(prefix = ''): AsyncGenerator<{ readonly path: string; readonly bytes: number }> {
    // the prefix is text, not a directory: `a/b` finds `a/bc`
    const cut = prefix.lastIndexOf('/');
    if (cut >= 0) checkBlobPath(prefix.slice(0, cut));
    for await (const path of this.filesBelow(cut < 0 ? '' : prefix.slice(0, cut))) {
      if (!path.startsWith(prefix)) continue;
      const found = await this.head(path);
      if (found !== undefined) yield { path, bytes: found.bytes };
    }
  }

  /** Deletes the blob, and the directories that are empty after it; a blob that is not there is deleted already. */
  async delete(path: string): Promise<void> {
    checkBlobPath(path);
    if ((await orNothing(path, async () => (await unlink(join(this.directory, path)), true))) === undefined) return;
    for (let at = dirname(path); at !== '.'; at = dirname(at)) {
      const emptied = await rmdir(join(this.directory, at)).then(
        () => true,
        () => false, // somebody else's blob is in it, or somebody else was faster
      );
      if (!emptied) return;
    }
  }

  private async write(path: string, bytes: Uint8Array, ifAbsent: boolean): Promise<Placed> {
    checkBlobPath(path);
    const target = join(this.directory, path);
    const temporary = join(this.workshop, randomUUID());
    return named(path, 'could not be stored', async () => {
      const before = await this.head(path);
      if (ifAbsent && before !== undefined) return { bytes: before.bytes, existed: true };
      try {
        await writeDurable(temporary, bytes);
        if (await this.name(temporary, target, ifAbsent)) return { bytes: bytes.byteLength, existed: before !== undefined };
        return { bytes: (await this.head(path))?.bytes ?? bytes.byteLength, existed: true };
      } finally {
        await unlink(temporary).catch(ignoreAbsent);
      }
    });
  }

  /** Gives a finished file its name. A directory may be emptied and deleted by somebody else in between: then it is made again. */
  private async name(temporary: string, target: string, ifAbsent: boolean): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await makeDirectory(dirname(target));
        if (ifAbsent) await link(temporary, target);
        else await rename(temporary, target);
        await syncDirectory(dirname(target));
        return true;
      } catch (error) {
        const errno = errnoOf(error);
        if (ifAbsent && errno === 'EEXIST') return false;
        if (errno !== 'ENOENT' || attempt === 5) throw error;
      }
    }
  }

  private async *filesBelow(below: string): AsyncGenerator<string> {
    const entries = await orNothing(below, () => readdir(join(this.directory, below), { withFileTypes: true }));
    if (entries === undefined) return;
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (path === WORKSHOP) continue;
      if (entry.isDirectory()) yield* this.filesBelow(path);
      else if (entry.isFile()) yield path;
    }
  }
}

/** A blob that is not there, or whose path leads through another blob, is nothing. */
async function orNothing<T>(path: string, read: () => Promise<T>): Promise<T | undefined> {
  return named(path, 'could not be read', async () => {
    try {
      return await read();
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(error) ?? '')) return undefined;
      throw error;
    }
  });
}

/** Failures of the file system in the project's own words. */
async function named<T>(path: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PenstockError) throw error;
    const errno = errnoOf(error);
    if (errno === 'ENOSPC' || errno === 'EDQUOT') {
      throw new PenstockError('PS3002', `${path} ${what}: the disk is full`, { category: 'transient', cause: error });
    }
    // a blob where a directory must be, or a directory where the blob must be, will still be there next time
    const lasting =
      errno === 'ENOTDIR' || errno === 'EISDIR' || errno === 'ENAMETOOLONG' || (errno === 'EEXIST' && what === 'could not be stored');
    const text = error instanceof Error ? error.message : String(error);
    throw new PenstockError('PS4107', `${path} ${what}: ${text}`, { category: lasting ? 'permanent' : 'transient', cause: error });
  }
}

function ignoreAbsent(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error;
}
