import { stat } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';

/** Where paths that a file names are looked up: in the working directory, beside the file, then in the folder above it. */
export function candidates(path: string, namedBy: string, cwd: string): string[] {
  const folder = dirname(namedBy);
  return [...new Set([cwd, folder, dirname(folder)].map((base) => resolve(base, path)))];
}

/** The first candidate that exists; undefined when none does. */
export async function findPath(path: string, namedBy: string, cwd: string): Promise<string | undefined> {
  for (const candidate of candidates(path, namedBy, cwd)) if (await exists(candidate)) return candidate;
  return undefined;
}

/** The file of this name beside another; undefined when there is none. */
export async function findBeside(name: string, file: string): Promise<string | undefined> {
  const path = resolve(dirname(file), name);
  return (await exists(path)) ? path : undefined;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    // A file that is there and must not be read is found here and reported when it is opened.
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

/** A path as findings show it: relative to the working directory where it lies inside. */
export function shown(path: string, cwd: string): string {
  const inside = relative(cwd, path);
  return inside === '' || inside.startsWith('..') ? path : inside;
}
