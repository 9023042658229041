import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParquetEncoder } from './encoder.js';
import type { CommitLog } from './log.js';
import { CheckpointState, type LogState } from './log-state.js';
import { diskPath } from './partition.js';

export interface VacuumOptions {
  /** Files younger than this stay, in milliseconds: a writer may be about to commit them, a reader may be reading them. Defaults to seven days. */
  readonly olderThanMs?: number;
  /** Commits older than this which a checkpoint stands for go too, in milliseconds. Defaults to thirty days. */
  readonly logOlderThanMs?: number;
  /** Names the files and deletes nothing. */
  readonly dryRun?: boolean;
}

interface Ground {
  readonly directory: string;
  readonly log: CommitLog;
  readonly state: LogState;
  readonly encoder: ParquetEncoder;
  readonly now: number;
}

const DAY_MS = 86_400_000;
const LOG_FILE = /^_delta_log\/(\d{20})\.(json|checkpoint\.parquet)$/;

/**
 * Deletes what lies in a table's directory, is old enough, and is neither live nor removed so recently that a reader may still want it; and old commits that
 * the newest checkpoint stands for.
 */
export async function vacuum(ground: Ground, options: VacuumOptions): Promise<readonly string[]> {
  const { olderThanMs = 7 * DAY_MS, logOlderThanMs = 30 * DAY_MS, dryRun } = options;
  const before = ground.now - olderThanMs;
  const checkpoint = (await ground.log.latestCheckpoint(ground.state.version)) ?? 0;
  const needed = new Set([...ground.state.files.keys()].map(diskPath));
  for (const path of await recentlyRemoved(ground, before)) needed.add(diskPath(path));
  const gone: string[] = [];
  for await (const path of filesBelow(ground.directory, '')) {
    const version = LOG_FILE.exec(path)?.[1];
    if (needed.has(path) || (version !== undefined && Number(version) >= checkpoint)) continue;
    const age = version === undefined ? before : ground.now - logOlderThanMs;
    if ((await stat(join(ground.directory, path))).mtimeMs > age) continue;
    gone.push(path);
    if (dryRun !== true) await unlink(join(ground.directory, path));
  }
  return gone;
}

async function recentlyRemoved({ log, state, encoder }: Ground, since: number): Promise<readonly string[]> {
  const all = new CheckpointState();
  const checkpoint = await log.latestCheckpoint(state.version);
  if (checkpoint !== undefined) all.apply(await encoder.decodeCheckpoint(await readFile(log.checkpointPath(checkpoint))));
  for (let version = (checkpoint ?? -1) + 1; version <= state.version; version += 1) all.apply((await log.read(version)) ?? []);
  return all.actions(since).flatMap(({ remove }) => (remove === undefined ? [] : [remove.path]));
}

/** Data files, commits and checkpoints, and temporary files anywhere. */
async function* filesBelow(directory: string, below: string): AsyncGenerator<string> {
  for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(directory, path);
    else if (entry.name.startsWith('.') ? entry.name.endsWith('.tmp') : isOurs(path)) yield path;
  }
}

function isOurs(path: string): boolean {
  return path.startsWith('_') ? LOG_FILE.test(path) : path.endsWith('.parquet');
}
