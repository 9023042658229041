import type { PenstockError } from '../../diagnostics/index.js';

/** A row of a table; the buffers are the caller's own. */
export interface KvEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface KvRange {
  /** Inclusive. */
  readonly start?: Uint8Array;
  /** Exclusive. */
  readonly end?: Uint8Array;
  /** From `start` downwards. */
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** Rows by key, in order of the keys' bytes. Keys have 1 to 1900 bytes. */
export interface KvTable {
  get(key: Uint8Array): Buffer | undefined;
  range(range: KvRange): Iterable<KvEntry>;
  /** Within a transaction only. */
  put(key: Uint8Array, value: Uint8Array): void;
  /** Within a transaction only. */
  remove(key: Uint8Array): void;
}

/** Named tables that several processes of one machine may share. Reads are synchronous and see only what is durable. */
export interface Kv {
  table(name: string): KvTable;
  /**
   * All of it or nothing, durable when resolved; calls made while another transaction is being written wait for the next. Within `work` reads see
   * its own writes. Rejects with PS3002 when the disk is full, PS3001 when the store cannot be written, and with what `work` throws.
   */
  transaction<T>(work: () => T): Promise<T>;
  /** Reads from now on see what other processes have written. */
  refresh(): void;
  /** Grows with each transaction of any process. */
  lastChange(): number;
  /** Why transactions have not begun for seconds: another process is in the middle of one (PS3009). Nothing when they begin. */
  obstacle(): PenstockError | undefined;
  /** Frees what processes that died were still reading. */
  sweep(): void;
  close(): Promise<void>;
}
