import { closeSync, fstatSync, mkdirSync, openSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from './durable-file.js';

/** A small file that is to lie under a name: whole or not at all, but not durable. */
export interface Writing {
  readonly bytes: Uint8Array;
  readonly target: string;
  /** What it is called while it is written; one that somebody left there is replaced. */
  readonly temporary: string;
  /** What goes together with a temporary file that was left. */
  readonly stale: string;
}

/** Writes the file and names it. `false`: somebody else replaced it while it was written, and nothing was named. */
export function writeWhole({ bytes, target, temporary, stale }: Writing): boolean {
  const file = openFresh(temporary, stale);
  let written: { readonly ino: number; readonly size: number };
  try {
    writeFileSync(file, bytes);
    written = fstatSync(file);
  } finally {
    closeSync(file);
  }
  const named = statSync(temporary, { throwIfNoEntry: false });
  if (named?.ino !== written.ino || named.size !== bytes.length) return false;
  renameSync(temporary, target);
  return true;
}

function openFresh(temporary: string, stale: string): number {
  try {
    return openSync(temporary, 'wx', 0o600);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') mkdirSync(dirname(temporary), { recursive: true, mode: 0o700 });
    else if (errnoOf(error) !== 'EEXIST') throw error;
  }
  removeFile(stale);
  removeFile(temporary);
  return openSync(temporary, 'wx', 0o600);
}

/** Removes a file; one that is not there is removed already. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
