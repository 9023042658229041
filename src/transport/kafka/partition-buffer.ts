import type { LogRecord } from '../transport.js';
import { sizeOf } from '../prepared.js';

/** How much of a partition may wait here before it is paused. */
export interface ReadAhead {
  readonly records: number;
  readonly bytes: number;
}

/** Beyond key, value and headers, about. */
const RECORD_BYTES = 200;

/** What was fetched of one partition and not yet taken; in order, without gaps in what the log holds. */
export class PartitionBuffer {
  private readonly chunks: (readonly LogRecord[])[] = [];
  private records = 0;
  private bytes = 0;

  /** `next`: the offset that must come next. */
  constructor(public next: number) {}

  get length(): number {
    return this.records;
  }

  get size(): number {
    return this.bytes;
  }

  /** Puts in what a fetch brought, up to and without `after`; what is here already is left out. */
  put(records: readonly LogRecord[], after: number): void {
    const fresh = records[0] !== undefined && records[0].offset < this.next ? records.filter(({ offset }) => offset >= this.next) : records;
    if (after > this.next) this.next = after;
    if (fresh.length === 0) return;
    this.chunks.push(fresh);
    this.records += fresh.length;
    this.bytes += weigh(fresh);
  }

  /** The oldest of what was put in. */
  take(from: number): readonly LogRecord[] {
    const chunk = this.chunks.shift();
    if (chunk === undefined) return [];
    this.records -= chunk.length;
    this.bytes -= weigh(chunk);
    return chunk[0]!.offset < from ? chunk.filter(({ offset }) => offset >= from) : chunk;
  }

  isOver({ records, bytes }: ReadAhead): boolean {
    return this.records > records || this.bytes > bytes;
  }

  /** Half of it is free again. */
  hasRoom({ records, bytes }: ReadAhead): boolean {
    return this.records <= records / 2 && this.bytes <= bytes / 2;
  }
}

function weigh(records: readonly LogRecord[]): number {
  let bytes = records.length * RECORD_BYTES;
  for (const record of records) bytes += sizeOf(record);
  return bytes;
}
