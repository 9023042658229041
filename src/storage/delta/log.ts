import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createDurable, errnoOf, makeDirectory, replaceDurable, syncDirectory } from '../durable-file.js';
import { actionsText, parseActions, type Action } from './actions.js';

const CHECKPOINT = /^(\d{20})\.checkpoint\.parquet$/;

/** A table's log of commits, one file a version; a commit is made by putting the next version's file where none is. */
export class CommitLog {
  readonly directory: string;

  constructor(tableDirectory: string) {
    this.directory = join(tableDirectory, '_delta_log');
  }

  async make(): Promise<void> {
    await makeDirectory(this.directory);
  }

  /** The actions of a version, undefined when it is not there. */
  async read(version: number): Promise<readonly Action[] | undefined> {
    const text = await readOrNothing(this.commitPath(version));
    return text === undefined ? undefined : parseActions(text.toString('utf8'));
  }

  /**
   * Commits a version; `false` says somebody else has it. When the answer is lost, the commit's own `txnId` tells whose it is, so that nobody
   * mistakes a commit of his own for a rival's.
   */
  async put(version: number, actions: readonly Action[]): Promise<boolean> {
    const bytes = Buffer.from(actionsText(actions));
    try {
      return await createDurable(this.commitPath(version), bytes);
    } catch (error) {
      const own = actions.find((action) => action.commitInfo !== undefined)?.commitInfo?.txnId;
      const there = await this.read(version);
      if (there === undefined) throw error;
      if (own === undefined || !there.some((action) => action.commitInfo?.txnId === own)) return false;
      await syncDirectory(this.directory);
      return true;
    }
  }

  commitPath(version: number): string {
    return join(this.directory, `${name(version)}.json`);
  }

  checkpointPath(version: number): string {
    return join(this.directory, `${name(version)}.checkpoint.parquet`);
  }

  /** The newest checkpoint at or below a version; the hint file is asked first, the directory when it says nothing. */
  async latestCheckpoint(atMost = Number.MAX_SAFE_INTEGER): Promise<number | undefined> {
    const hinted = await this.hint();
    if (hinted !== undefined && hinted <= atMost && (await readOrNothing(this.checkpointPath(hinted), 4)) !== undefined) return hinted;
    const versions = (await readdir(this.directory))
      .map((file) => CHECKPOINT.exec(file))
      .filter((match) => match !== null)
      .map((match) => Number(match[1]))
      .filter((version) => version <= atMost);
    return versions.length === 0 ? undefined : Math.max(...versions);
  }

  /** Writes a checkpoint and points readers at it. */
  async putCheckpoint(version: number, bytes: Uint8Array, actions: number): Promise<void> {
    await replaceDurable(this.checkpointPath(version), bytes);
    if (((await this.hint()) ?? -1) >= version) return;
    await replaceDurable(join(this.directory, '_last_checkpoint'), Buffer.from(JSON.stringify({ version, size: actions })));
  }

  /** The newest version that a listing shows, -1 when there is none. */
  async newest(): Promise<number> {
    const versions = (await readdir(this.directory)).map((file) => /^(\d{20})\.json$/.exec(file)).map((match) => Number(match?.[1] ?? -1));
    return Math.max(-1, ...versions);
  }

  /** The hint may be missing or torn by whoever wrote it: then there is none. */
  private async hint(): Promise<number | undefined> {
    const text = await readOrNothing(join(this.directory, '_last_checkpoint'));
    const version = text === undefined ? undefined : /"version"\s*:\s*(\d+)/.exec(text.toString('utf8'))?.[1];
    return version === undefined ? undefined : Number(version);
  }
}

function name(version: number): string {
  return String(version).padStart(20, '0');
}

async function readOrNothing(path: string, atMost?: number): Promise<Buffer | undefined> {
  try {
    const bytes = await readFile(path);
    return atMost === undefined ? bytes : bytes.subarray(0, atMost);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
