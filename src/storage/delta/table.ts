/** A column's type: text, 64-bit integer (number or bigint in rows), double, boolean, instant (Date or ISO text; microseconds UTC) or date (`YYYY-MM-DD`). */
export type ColumnType = 'text' | 'int64' | 'double' | 'boolean' | 'timestamp' | 'date';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** One sentence for the docs and the table's own metadata. */
  readonly about: string;
  /** Differs from run to run (a time of processing): left out when tables are compared. */
  readonly processingTime?: true;
}

export interface TableSchema {
  readonly name: string;
  readonly about: string;
  readonly columns: readonly Column[];
  readonly partitionBy: readonly string[];
  /**
   * `insert_if_absent`: a row whose key is there already is left out. `merge`: it updates all columns but the key and those preserved; null-safe,
   * a null in the new row does not overwrite.
   */
  readonly mode: 'append' | 'insert_if_absent' | 'merge';
  readonly key: readonly string[];
  readonly preserveOnUpdate: readonly string[];
}

export type Cell = string | number | bigint | boolean | Date | null;
export type Row = Readonly<Record<string, Cell | undefined>>;

export interface TableCommit {
  readonly rows: readonly Row[];
  /**
   * One for each partition in the batch: the application id, and the *next* offset. `after` is the recorded version that the rows were chosen against;
   * when it is given and another one is recorded by now, the commit is refused (a transient `PS4108`) and nothing is written.
   */
  readonly txns: readonly { readonly appId: string; readonly version: number; readonly after?: number | undefined }[];
}

export interface Table {
  readonly schema: TableSchema;
  /** Checks one row without writing; an error says which column and why. */
  check(row: Row): Error | undefined;
  /** One atomic commit; rows must have passed `check`. Resolves when it is durable. */
  commit(batch: TableCommit): Promise<{ readonly version: number; readonly written: number; readonly absorbed: number }>;
  /** The version recorded for an application id, undefined when none is. */
  txn(appId: string): Promise<number | undefined>;
  count(): Promise<number>;
  rows(): AsyncIterable<Readonly<Record<string, Cell>>>;
  close(): Promise<void>;
}
