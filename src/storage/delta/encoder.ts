import type { Action } from './actions.js';
import type { ColumnBatch } from './columns.js';
import type { Column } from './table.js';

/** Writes a new checkpoint of a table's log at a version. */
export interface CheckpointRequest {
  readonly tableDirectory: string;
  readonly version: number;
  /** Removals from before this time (milliseconds since 1970) are forgotten. */
  readonly keptSince: number;
}

/**
 * Turns columns into Parquet files and back. Data pages are V1 and all columns are nullable. Batches that are handed in are used up: their memory may
 * go to another thread.
 */
export interface ParquetEncoder {
  /** How a file of its calls itself: `<codec>.parquet`. */
  readonly suffix: string;
  encode(batch: ColumnBatch): Promise<Uint8Array>;
  /** Reads some columns, in the order asked for; a column that the file lacks is all null. */
  decode(bytes: Uint8Array, columns: readonly Pick<Column, 'name' | 'type'>[]): Promise<ColumnBatch>;
  /** Reads the actions of a checkpoint, as far as `Action` knows them. */
  decodeCheckpoint(bytes: Uint8Array): Promise<readonly Action[]>;
  /** Builds a checkpoint from the one before it and the commits since, and puts it in place. */
  checkpoint(request: CheckpointRequest): Promise<void>;
  close(): Promise<void>;
}
