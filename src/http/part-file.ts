import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PenstockError } from '../diagnostics/index.js';
import { sharedFileWork } from '../storage/file-work.js';
import { diskFailure, errnoOf } from './disk-errors.js';

/** What must be the same for the rest of a file to fit the part that is here. */
export interface Validator {
  /** A strong entity tag or a modification date, for `If-Range`. */
  readonly value: string;
  /** The size of the whole, when the server said it. */
  readonly total: number | undefined;
}

/** So many bytes are held before there is a file: most attachments are smaller, and are then written in one go. */
const HELD_BYTES = 256 * 1024;

/**
 * A file on its way: `<id>.part` once it is more than small, and beside it `<id>.part.json` once it is worth resuming.
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
  append(chunk: Buffer): Promise<void> | void;
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
  const names = { directory, path, part, notes, source };
  const fresh = { ...names, handle: undefined, size: 0, validator: undefined };
  // Nothing was begun, almost always: to look is a tenth of what handing the question to a thread takes.
  if (!existsSync(notes)) return new Part(fresh);
  return guarded(async () => {
    const earlier = await readNotes(notes, source);
    const resumed = earlier === undefined ? undefined : await openEarlier(part);
    if (resumed === undefined) {
      // Notes without their part must not meet the part that begins now.
      if (earlier !== undefined) await rm(notes, { force: true });
      return new Part(fresh);
    }
    const { size } = await resumed.stat();
    const total = earlier?.total;
    const fits = size > 0 && (total === undefined || size < total);
    const file = new Part({ ...names, handle: resumed, size: fits ? size : 0, validator: fits ? earlier : undefined });
    if (!fits) await file.restart();
    return file;
  });
}

interface PartState {
  readonly directory: string;
  readonly path: string;
  readonly part: string;
  readonly notes: string;
  readonly source: string;
  /** None while its bytes are held. */
  readonly handle: FileHandle | undefined;
  readonly size: number;
  readonly validator: Validator | undefined;
}

class Part implements PartFile {
  size: number;
  validator: Validator | undefined;
  private handle: FileHandle | undefined;
  private held: Buffer[] = [];
  private noted: boolean;

  constructor(private readonly state: PartState) {
    this.size = state.size;
    this.validator = state.validator;
    this.handle = state.handle;
    this.noted = state.validator !== undefined;
  }

  restart(): Promise<void> {
    return guarded(async () => {
      this.held = [];
      this.size = 0;
      this.validator = undefined;
      this.noted = false;
      if (this.handle === undefined) return;
      await this.handle.close();
      await rm(this.state.notes, { force: true });
      await rm(this.state.part, { force: true });
      this.handle = await open(this.state.part, 'wx+', 0o600);
    });
  }

  append(chunk: Buffer): Promise<void> | void {
    if (this.handle === undefined) {
      this.held.push(chunk);
      this.size += chunk.length;
      if (this.size <= HELD_BYTES) return;
      return guarded(() => this.spill());
    }
    const { handle } = this;
    return guarded(async () => {
      for (let from = 0; from < chunk.length; ) {
        const { bytesWritten } = await handle.write(chunk, from, chunk.length - from, this.size);
        from += bytesWritten;
        this.size += bytesWritten;
      }
    });
  }

  head(length: number): Promise<Buffer> {
    const { handle } = this;
    if (handle === undefined) return Promise.resolve(Buffer.concat(this.held, Math.min(length, this.size)));
    return guarded(async () => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
      return buffer.subarray(0, bytesRead);
    });
  }

  remember(validator: Validator): Promise<void> {
    return guarded(async () => {
      // Notes must never lie beside another file's part.
      await this.spill();
      this.noted = true;
      this.validator = validator;
      await writeFile(this.state.notes, JSON.stringify({ source: this.state.source, ...validator }), { mode: 0o600 });
    });
  }

  finish(): Promise<string> {
    return guarded(async () => {
      const { handle } = this;
      if (handle === undefined) return this.finishHeld();
      const written = await handle.stat();
      await handle.close();
      const named = await stat(this.state.part);
      if (named.ino !== written.ino || named.size !== this.size) throw replaced();
      await rename(this.state.part, this.state.path);
      if (this.noted) await rm(this.state.notes, { force: true });
      return this.state.path;
    });
  }

  async keep(): Promise<void> {
    await guarded(async () => this.handle?.close());
  }

  discard(): Promise<void> {
    return guarded(async () => {
      this.held = [];
      await this.handle?.close();
      await rm(this.state.notes, { force: true });
      await rm(this.state.part, { force: true });
    });
  }

  /** What is held goes into a file. */
  private async spill(): Promise<void> {
    if (this.handle !== undefined) return;
    const { directory, part, notes } = this.state;
    this.handle = await openFresh(directory, part, notes);
    const { held } = this;
    this.held = [];
    if (held.length > 0) await writeAll(this.handle, Buffer.concat(held));
  }

  private async finishHeld(): Promise<string> {
    const { path, part, notes } = this.state;
    // Memory of its own goes to another thread without being copied.
    const bytes = Buffer.allocUnsafeSlow(this.size);
    let at = 0;
    for (const chunk of this.held) at += chunk.copy(bytes, at);
    this.held = [];
    if (!(await sharedFileWork().write({ bytes, target: path, temporary: part, stale: notes }))) throw replaced();
    return path;
  }
}

function replaced(): PenstockError {
  return new PenstockError('PS4104', 'the part was replaced by another process while it was written', { category: 'transient' });
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, from, bytes.length - from, from);
    from += bytesWritten;
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
