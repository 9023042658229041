import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TopicsConfig } from '../config/pipeline-config.js';
import type { Logger } from '../observe/index.js';
import type { Transport } from '../transport/transport.js';

export interface UpkeepOptions {
  readonly transport: Pick<Transport, 'enforceRetention'>;
  /** Folders of files that belong to somebody for a while only: between two workers, half fetched, named by records. */
  readonly folders: readonly StaleFolder[];
  /** Runs once a day. */
  readonly tidy?: () => Promise<void>;
  readonly log: Logger;
  /** Between two rounds, in milliseconds. Defaults to a minute. */
  readonly everyMs?: number;
}

export interface StaleFolder {
  readonly path: string;
  /** A file that nobody has touched for so long belongs to nobody any more, in milliseconds. Defaults to 24 hours. */
  readonly staleMs?: number;
}

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Keeps the data directory from growing for ever: records past their retention, files left behind by processes that were killed. Ends when called. */
export function startUpkeep({ transport, folders, tidy, log, everyMs = MINUTE }: UpkeepOptions): () => Promise<void> {
  let round: Promise<void> = Promise.resolve();
  let tidied = Date.now();
  const timer = setInterval(() => {
    round = round.then(async () => {
      try {
        const records = await transport.enforceRetention(Date.now());
        let files = 0;
        for (const { path, staleMs = DAY } of folders) files += await sweep(path, Date.now() - staleMs);
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
export async function sweep(folder: string, before: number): Promise<number> {
  let removed = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const touched = await lastTouched(path);
    if (touched === undefined || touched >= before) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  return removed;
}

/**
 * How long a value may be named by a record: it was stored when its message failed, waits in a retry topic, then in the topic it goes back to, and
 * lies in a dead letter at the end. A day more, for records whose retention is looked at late. None when some of them are kept for ever.
 */
export function claimLifeMs({ work, retry, deadLetter, named }: TopicsConfig): number | undefined {
  const others = Object.values(named).map(({ retentionMs }) => retentionMs);
  const life = [work, retry, deadLetter].map(({ retentionMs }) => longest([retentionMs, ...others])).reduce((sum, ms) => sum + ms, DAY);
  return Number.isFinite(life) ? life : undefined;
}

function longest(retentions: readonly (number | undefined)[]): number {
  return Math.max(...retentions.map((ms) => ms ?? Number.POSITIVE_INFINITY));
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
