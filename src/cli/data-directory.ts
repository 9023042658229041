import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { PenstockError } from '../diagnostics/index.js';

/** The layout that this program reads and writes. */
export const DATA_VERSION = 1;

/** Where everything of one installation lies; all paths are absolute and exist. */
export interface DataDirectory {
  readonly root: string;
  /** The embedded log. */
  readonly log: string;
  /** One folder a table. */
  readonly tables: string;
  /** One folder a domain, blob paths below it. */
  readonly files: string;
  /** Bytes of records that are too large to travel. */
  readonly claims: string;
  /** Files between download and upload. */
  readonly cache: string;
  readonly tmp: string;
  readonly state: string;
}

const FOLDERS = ['log', 'tables', 'files', 'claims', 'cache', 'tmp', 'state'] as const;
const PRIVATE = 0o700;

/**
 * Opens the data directory, making what is missing of it, for its owner alone. Nothing in it is ever deleted. Throws PS3003 when it was written
 * with another layout, PS3011 when it cannot be used.
 */
export function openDataDirectory(path: string): DataDirectory {
  const root = resolve(path);
  try {
    const version = versionOf(root);
    if (version !== undefined && version !== String(DATA_VERSION)) throw otherVersion(root, version);
    makeFolder(root);
    if (version === undefined) chmodSync(root, PRIVATE);
    for (const folder of FOLDERS) makeFolder(join(root, folder));
    if (version === undefined) writeFileSync(join(root, 'VERSION'), `${DATA_VERSION}\n`, { mode: 0o600 });
  } catch (cause) {
    if (cause instanceof PenstockError) throw cause;
    throw new PenstockError('PS3011', `the data directory ${root} cannot be used: ${reasonOf(cause)}`, {
      category: 'permanent',
      cause,
      help: 'name another with --data DIR, or mend its permissions',
    });
  }
  return at(root);
}

/** The data directory, which must exist already: for commands that only look. */
export function existingDataDirectory(path: string): DataDirectory {
  const root = resolve(path);
  const version = versionOf(root);
  if (version === undefined) {
    throw new PenstockError('PS3011', `there is no data directory at ${root}`, {
      category: 'permanent',
      help: 'name it with --data DIR; `penstock run`, `penstock dev` and `penstock ingest` make one',
    });
  }
  if (version !== String(DATA_VERSION)) throw otherVersion(root, version);
  return at(root);
}

function at(root: string): DataDirectory {
  const [log, tables, files, claims, cache, tmp, state] = FOLDERS.map((folder) => join(root, folder));
  return { root, log: log!, tables: tables!, files: files!, claims: claims!, cache: cache!, tmp: tmp!, state: state! };
}

/**
 * Makes a folder and those above it. One by one: asked for all at once, Node tries for ever where a file system denies that a folder can be made by
 * saying that there is none above it, as `/proc` does.
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let at = path; statSync(at, { throwIfNoEntry: false }) === undefined && dirname(at) !== at; at = dirname(at)) missing.unshift(at);
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode: PRIVATE });
    } catch (error) {
      // Another process of the same installation may have made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** What VERSION says; none where no data directory is yet. */
function versionOf(root: string): string | undefined {
  try {
    return readFileSync(join(root, 'VERSION'), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // A folder with a log but without a version was not made by us, or lost its version: neither is ours to write into.
  if (statSync(join(root, 'log'), { throwIfNoEntry: false }) !== undefined) throw otherVersion(root, 'none');
  return undefined;
}

function otherVersion(root: string, found: string): PenstockError {
  return new PenstockError(
    'PS3003',
    `the data directory ${root} has version ${found}, this program reads and writes version ${DATA_VERSION}`,
    {
      category: 'permanent',
      help: `use the program that wrote it, or start afresh with --data DIR; nothing was changed`,
    },
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
