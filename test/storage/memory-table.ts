import { PenstockError } from '../../src/diagnostics/index.js';
import type { Row, Table, TableCommit, TableSchema } from '../../src/storage/delta/index.js';
import { schemaOf } from './scratch-schema.js';

export interface MemoryTableOptions {
  readonly schema?: TableSchema;
  /** Called before each commit, with its number from 0; it may wait, and throw: nothing is written then. */
  readonly before?: (commit: TableCommit, number: number) => void | Promise<void>;
  /** Called after each commit; what it throws is the lost answer of a commit that took effect. */
  readonly after?: (commit: TableCommit, number: number) => void | Promise<void>;
}

/** A table in memory that keeps the contract's promises about progress, and tells what was committed. */
export class MemoryTable implements Table {
  readonly schema: TableSchema;
  readonly written: Row[] = [];
  readonly commits: TableCommit[] = [];
  readonly progress = new Map<string, number>();
  private asked = 0;

  constructor(private readonly options: MemoryTableOptions = {}) {
    this.schema = options.schema ?? schemaOf({ id: 'text' });
  }

  check(row: Row): Error | undefined {
    return row['id'] === 'unfit' ? new PenstockError('PS4109', 'column id does not fit', { category: 'permanent' }) : undefined;
  }

  async commit(batch: TableCommit): Promise<{ version: number; written: number; absorbed: number }> {
    const number = this.asked;
    this.asked += 1;
    await this.options.before?.(batch, number);
    for (const { appId, version, after } of batch.txns) {
      const recorded = this.progress.get(appId);
      if (recorded !== after) throw new PenstockError('PS4108', `${appId} was moved to ${String(recorded)}`, { category: 'transient' });
      if (recorded !== undefined && recorded >= version)
        throw new Error(`progress of ${appId} goes backwards, from ${String(recorded)} to ${String(version)}`);
    }
    for (const { appId, version } of batch.txns) this.progress.set(appId, version);
    this.commits.push(batch);
    this.written.push(...batch.rows);
    await this.options.after?.(batch, number);
    return { version: this.commits.length, written: batch.rows.length, absorbed: 0 };
  }

  txn(appId: string): Promise<number | undefined> {
    return Promise.resolve(this.progress.get(appId));
  }

  count(): Promise<number> {
    return Promise.resolve(this.written.length);
  }

  async *rows(): AsyncGenerator<Readonly<Record<string, string>>> {
    for (const row of this.written) yield await Promise.resolve(row as Readonly<Record<string, string>>);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
