import { createHash } from 'node:crypto';
import type { Kv, KvTable } from '../../storage/kv/index.js';
import type { Mark, Marked, Marks } from '../transport.js';

const DEFAULT_CAPACITY = 1_000_000;
const LONGEST_KEY = 200;
const BY_KEY = 0;
const BY_EXPIRY = 1;
const COUNTS = 2;

/** A row under its key is the time, then what is remembered. */
const EXPIRY_BYTES = 8;

/** Expired marks that one written mark may take along: the table shrinks faster than it grows, and no commit is long. */
const SWEEP_PER_MARK = 4;

/**
 * Keys that are remembered for a while, each under its key and again in order of expiry. What has expired goes first, then, while there are more
 * than the capacity, those that would expire next.
 */
export class MarkTable {
  private readonly rows: KvTable;
  private readonly capacities = new Map<string, number>();

  constructor(kv: Kv) {
    this.rows = kv.table('marks');
  }

  open(store: string, capacity: number): Marks {
    this.capacities.set(store, capacity);
    return {
      has: (key, now) => (this.expiry(rowKey(store, BY_KEY, keyBytes(key))) ?? -Infinity) > now,
      get: (key, now) => this.mark(rowKey(store, BY_KEY, keyBytes(key)), now),
      stats: () => this.counts(store),
    };
  }

  /** Within a transaction. */
  add(marks: readonly Mark[], now: number): void {
    const added = new Map<string, number>();
    const counts = new Map<string, { size: number; evicted: number }>();
    for (const { store, key, expiresAt, value = '' } of marks) {
      const count = counts.get(store) ?? { ...this.counts(store) };
      counts.set(store, count);
      added.set(store, (added.get(store) ?? 0) + 1);
      const bytes = keyBytes(key);
      const byKey = rowKey(store, BY_KEY, bytes);
      const before = this.expiry(byKey);
      if (before === undefined) count.size += 1;
      else this.rows.remove(expiryKey(store, before, bytes));
      const row = Buffer.allocUnsafe(EXPIRY_BYTES + Buffer.byteLength(value));
      row.writeDoubleLE(expiresAt, 0);
      row.write(value, EXPIRY_BYTES);
      this.rows.put(byKey, row);
      this.rows.put(expiryKey(store, expiresAt, bytes), EMPTY);
    }
    for (const [store, count] of counts) {
      this.sweep(store, count, now, added.get(store)! * SWEEP_PER_MARK);
      const row = Buffer.allocUnsafe(16);
      row.writeDoubleLE(count.size, 0);
      row.writeDoubleLE(count.evicted, 8);
      this.rows.put(rowKey(store, COUNTS, EMPTY), row);
    }
  }

  private sweep(store: string, count: { size: number; evicted: number }, now: number, most: number): void {
    const capacity = this.capacities.get(store) ?? DEFAULT_CAPACITY;
    const prefix = rowKey(store, BY_EXPIRY, EMPTY).length;
    const limit = most + Math.max(0, count.size - capacity);
    const range = { start: rowKey(store, BY_EXPIRY, EMPTY), end: rowKey(store, COUNTS, EMPTY), limit };
    for (const { key } of Array.from(this.rows.range(range))) {
      const expired = timeIn(key, prefix) <= now;
      if (!expired && count.size <= capacity) return;
      this.rows.remove(key);
      this.rows.remove(rowKey(store, BY_KEY, key.subarray(prefix + 8)));
      count.size -= 1;
      if (!expired) count.evicted += 1;
    }
  }

  private counts(store: string): { readonly size: number; readonly evicted: number } {
    const row = this.rows.get(rowKey(store, COUNTS, EMPTY));
    return row === undefined ? { size: 0, evicted: 0 } : { size: row.readDoubleLE(0), evicted: row.readDoubleLE(8) };
  }

  private mark(key: Buffer, now: number): Marked | undefined {
    const row = this.rows.get(key);
    const expiresAt = row?.readDoubleLE(0) ?? -Infinity;
    return expiresAt > now ? { expiresAt, value: row!.toString('utf8', EXPIRY_BYTES) } : undefined;
  }

  private expiry(key: Buffer): number | undefined {
    return this.rows.get(key)?.readDoubleLE(0);
  }
}

const EMPTY = Buffer.alloc(0);

function rowKey(store: string, kind: number, rest: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${store}\0`), Buffer.of(kind), rest]);
}

function expiryKey(store: string, expiresAt: number, key: Uint8Array): Buffer {
  const time = Buffer.allocUnsafe(8);
  time.writeBigUInt64BE(BigInt(Math.max(0, Math.floor(Math.min(expiresAt, Number.MAX_SAFE_INTEGER)))), 0);
  return rowKey(store, BY_EXPIRY, Buffer.concat([time, key]));
}

function timeIn(key: Buffer, at: number): number {
  return Number(key.readBigUInt64BE(at));
}

/** Long keys are remembered by their hash; the first byte tells the two apart. */
function keyBytes(key: string): Buffer {
  if (Buffer.byteLength(key) <= LONGEST_KEY) return Buffer.from(`=${key}`);
  return Buffer.concat([Buffer.from('#'), createHash('sha256').update(key).digest()]);
}
