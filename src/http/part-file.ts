import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PenstockError } from '../diagnostics/index.js';
import { diskFailure, errnoOf } from './disk-errors.js';

/** What must be the same for the rest of a file to fit the part that is here. */
export interface Validator {
  /** A strong entity tag or a modification date, for `If-Range`. */
  readonly value: string;
  /** The size of the whole, when the server said it. */
  readonly total: number | undefined;
}

/**
 * A file on its way: `<id>.part`, and beside it `<id>.part.json` once it is worth resuming.
 *
 * Bytes are only ever appended in order, so after a crash the part is a true beginning of the file. A start from nothing makes a new file
 * instead of emptying the old one: if another process still writes there, its bytes go nowhere, and `finish` notices the exchange.
 */
export interface PartFile {
  /** Bytes that an earlier attempt left here, to be resumed with `validator`. */
  readonly size: number;
  readonly validator: Validator | undefined;
  /** Forgets what was there. */
  restart(): Promise<void>;
  append(chunk: Buffer): Promise<void>;
  /** The first bytes of the file, as far as they are here. */
  head(length: number): Promise<Buffer>;
  /** Notes what the rest must fit, so that a later attempt can go on from here. */
  remember(validator: Validator): Promise<void>;
  /** Closes the part and gives it its final name; answers the path. */
  finish(): Promise<string>;
  /** Closes the part and leaves it for a later attempt. */
  keep(): Promise<void>;
  /** Closes the part and removes it. */
  discard(): Promise<void>;
}

const PLAIN_ID = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}$/;

/** The file name that stands for an id: the id where it is a harmless name, else a hash of it, so that no id reaches out of its directory. */
export function fileNameOf(id: string): string {
  if (PLAIN_ID.test(id) && !id.includes('.part')) return id;
  return `id-${createHash('sha256').update(id).digest('hex')}`;
}

/** Opens the part of `id` in `directory`, which is made if need be. `source` names where the bytes come from: a part from elsewhere is not resumed. */
export async function openPart(directory: string, id: string, source: string): Promise<PartFile> {
  const path = join(directory, fileNameOf(id));
  const part = `${path}.part`;
  const notes = `${part}.json`;
  return guarded(async () => {
    const earlier = await readNotes(notes, source);
    const resumed = earlier === undefined ? undefined : await openEarlier(part);
    if (resumed === undefined) {
      // Notes without their part must not meet the part that begins now.
      if (earlier !== undefined) await rm(notes, { force: true });
      const handle = await openFresh(directory, part, notes);
      return new Part({ path, part, notes, source, handle, size: 0, validator: undefined });
    }
    const { size } = await resumed.stat();
    const total = earlier?.total;
    const fits = size > 0 && (total === undefined || size < total);
    const file = new Part({ path, part, notes, source, handle: resumed, size: fits ? size : 0, validator: fits ? earlier : undefined });
    if (!fits) await file.restart();
    return file;
  });
}

interface PartState {
  readonly path: string;
  readonly part: string;
  readonly notes: string;
  readonly source: string;
  readonly handle: FileHandle;
  readonly size: number;
  readonly validator: Validator | undefined;
}

class Part implements PartFile {
  size: number;
  validator: Validator | undefined;
  private handle: FileHandle;
  private noted: boolean;

  constructor(private readonly state: PartState) {
    this.size = state.size;
    this.validator = state.validator;
    this.handle = state.handle;
    this.noted = state.validator !== undefined;
  }

  restart(): Promise<void> {
    return guarded(async () => {
      await this.handle.close();
      await rm(this.state.notes, { force: true });
      await rm(this.state.part, { force: true });
      this.handle = await open(this.state.part, 'wx+', 0o600);
      this.size = 0;
      this.validator = undefined;
      this.noted = false;
    });
  }

  append(chunk: Buffer): Promise<void> {
    return guarded(async () => {
      for (let from = 0; from < chunk.length; ) {
        const { bytesWritten } = await this.handle.write(chunk, from, chunk.length - from, this.size);
        from += bytesWritten;
        this.size += bytesWritten;
      }
    });
  }

  head(length: number): Promise<Buffer> {
    return guarded(async () => {
      const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(length), 0, length, 0);
      return buffer.subarray(0, bytesRead);
    });
  }

  remember(validator: Validator): Promise<void> {
    return guarded(async () => {
      this.noted = true;
      this.validator = validator;
      await writeFile(this.state.notes, JSON.stringify({ source: this.state.source, ...validator }), { mode: 0o600 });
    });
  }

  finish(): Promise<string> {
    return guarded(async () => {
      const written = await this.handle.stat();
      await this.handle.close();
      const named = await stat(this.state.part);
      if (named.ino !== written.ino || named.size !== this.size) {
        throw new PenstockError('PS4104', 'the part was replaced by another process while it was written', { category: 'transient' });
      }
      await rename(this.state.part, this.state.path);
      if (this.noted) await rm(this.state.notes, { force: true });
      return this.state.path;
    });
  }

  async keep(): Promise<void> {
    await guarded(() => this.handle.close());
  }

  discard(): Promise<void> {
    return guarded(async () => {
      await this.handle.close();
      await rm(this.state.notes, { force: true });
      await rm(this.state.part, { force: true });
    });
  }
}

/** What was noted of the part; notes that do not belong to `source` or cannot be read are removed. */
async function readNotes(path: string, source: string): Promise<Validator | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const notes = parseNotes(text);
  if (notes?.source === source) return { value: notes.value, total: notes.total };
  await rm(path, { force: true });
  return undefined;
}

function parseNotes(text: string): { readonly source: string; readonly value: string; readonly total: number | undefined } | undefined {
  try {
    const notes = JSON.parse(text) as Readonly<Record<string, unknown>> | null;
    if (typeof notes?.['source'] !== 'string' || typeof notes['value'] !== 'string') return undefined;
    return { source: notes['source'], value: notes['value'], total: typeof notes['total'] === 'number' ? notes['total'] : undefined };
  } catch {
    // Half-written notes of a killed process: the part is not resumed, which is safe.
    return undefined;
  }
}

async function openEarlier(part: string): Promise<FileHandle | undefined> {
  try {
    return await open(part, 'r+');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function openFresh(directory: string, part: string, notes: string): Promise<FileHandle> {
  try {
    return await open(part, 'wx+', 0o600);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') await mkdir(directory, { recursive: true, mode: 0o700 });
    else if (errnoOf(error) !== 'EEXIST') throw error;
  }
  await rm(notes, { force: true });
  await rm(part, { force: true });
  return open(part, 'wx+', 0o600);
}

/** Runs file work; its errors become ours. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskFailure(error);
  }
}
