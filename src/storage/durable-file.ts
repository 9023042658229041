import { randomUUID } from 'node:crypto';
import { link, mkdir, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Makes what a directory lists durable: a new or renamed name survives a power cut only after this. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Creates a directory and its parents so that each new name is durable. */
export async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true });
  if (first === undefined) return;
  const stop = dirname(first);
  for (let at = directory; at !== stop; at = dirname(at)) await syncDirectory(dirname(at));
}

/** Writes a new file and makes its content durable; its name is durable after `syncDirectory`. Nothing is left behind when it fails. */
export async function writeDurable(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await unlink(path).catch(() => undefined); // the first failure is the one to tell
    throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Makes a file under a name that nobody has: whole and durable, or not at all. `false` says the name was taken.
 * A temporary file is linked to the name, since a link either takes effect or finds the name in use.
 */
export async function createDurable(path: string, bytes: Uint8Array): Promise<boolean> {
  const directory = dirname(path);
  const temporary = temporaryName(path);
  await writeDurable(temporary, bytes);
  try {
    await link(temporary, path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
  await syncDirectory(directory);
  return true;
}

/** Puts a file under a name, over whatever was there; readers see the old one or the new one. */
export async function replaceDurable(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  await writeDurable(temporary, bytes);
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** A name beside `path` that no reader takes for anything, and that clearing up recognises. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 100)}.${randomUUID()}.tmp`);
}

/** The system's short name of a failure (`ENOSPC`, `EEXIST`, …). */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
