import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../observe/index.js';
import type { Transport } from '../transport/transport.js';

export interface UpkeepOptions {
  readonly transport: Pick<Transport, 'enforceRetention'>;
  /** Folders of files that are between two workers, or half fetched. */
  readonly folders: readonly string[];
  /** Runs once a day. */
  readonly tidy?: () => Promise<void>;
  readonly log: Logger;
  /** Between two rounds, in milliseconds. Defaults to a minute. */
  readonly everyMs?: number;
  /** A file that nobody has touched for so long belongs to nobody any more, in milliseconds. Defaults to 24 hours. */
  readonly staleMs?: number;
}

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Keeps the data directory from growing for ever: records past their retention, files left behind by processes that were killed. Ends when called. */
export function startUpkeep({ transport, folders, tidy, log, everyMs = MINUTE, staleMs = DAY }: UpkeepOptions): () => Promise<void> {
  let round: Promise<void> = Promise.resolve();
  let tidied = Date.now();
  const timer = setInterval(() => {
    round = round.then(async () => {
      try {
        const records = await transport.enforceRetention(Date.now());
        const files = await sweep(folders, Date.now() - staleMs);
        if (Date.now() - tidied >= DAY) {
          tidied = Date.now();
          await tidy?.();
        }
        if (records + files > 0) log.info('upkeep', { records_past_retention: records, stale_files: files });
      } catch (error) {
        // The next round tries again; nothing that somebody needs was touched.
        log.warn('upkeep did not finish', { error: String(error) });
      }
    });
  }, everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    return round;
  };
}

/** Removes files that were last touched before the time; answers how many. */
export async function sweep(folders: readonly string[], before: number): Promise<number> {
  let removed = 0;
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const touched = await lastTouched(path);
      if (touched === undefined || touched >= before) continue;
      await rm(path, { force: true });
      removed += 1;
    }
  }
  return removed;
}

/** None when the file is gone: somebody has finished with it meanwhile. */
async function lastTouched(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
