import type { Kv, KvTable } from '../../storage/kv/index.js';
import type { Prepared } from '../prepared.js';
import type { LogRecord } from '../transport.js';
import { chunkSummary, decodeChunk, encodeChunk, encodedSize } from './chunk.js';
import { offsetIn, recordKey } from './keys.js';

/** A chunk is closed when it has this many bytes: one slow record keeps the whole chunk in memory. */
const CHUNK_BYTES = 64 * 1024;

/** The records of all partitions, as chunks under the offset of their first. */
export class RecordTable {
  private readonly rows: KvTable;

  constructor(kv: Kv) {
    this.rows = kv.table('records');
  }

  /** Within a transaction: writes records that follow each other from an offset on. */
  append(topicId: number, partition: number, offset: number, records: readonly Prepared[]): void {
    let first = 0;
    let bytes = 0;
    for (let index = 0; index < records.length; index += 1) {
      const size = encodedSize(records[index]!);
      if (bytes > 0 && bytes + size > CHUNK_BYTES) {
        this.put(topicId, partition, offset + first, records.slice(first, index));
        first = index;
        bytes = 0;
      }
      bytes += size;
    }
    this.put(topicId, partition, offset + first, first === 0 ? records : records.slice(first));
  }

  /** The records from `from` on in the chunk that holds it. */
  read(topicId: number, topic: string, partition: number, from: number): readonly LogRecord[] {
    const key = recordKey(topicId, partition, from);
    const chunk = this.rows.get(key);
    if (chunk !== undefined) return decodeChunk(chunk, topic, partition, from, from);
    for (const { key: before, value } of this.rows.range({ start: key, reverse: true, limit: 1 })) {
      if (before.compare(key, 0, 8, 0, 8) !== 0) return [];
      return decodeChunk(value, topic, partition, offsetIn(before), from);
    }
    return [];
  }

  /** Within a transaction: removes whole chunks below `before` that are older than `olderThan`; answers where the partition begins now. */
  removeOld(topicId: number, partition: number, start: number, before: number, olderThan: number, most: number): number {
    let next = start;
    const old: Buffer[] = [];
    const range = { start: recordKey(topicId, partition, start), end: recordKey(topicId, partition, before), limit: most };
    for (const { key, value } of this.rows.range(range)) {
      const { count, newest } = chunkSummary(value);
      const base = offsetIn(key);
      if (newest >= olderThan || base + count > before) break;
      old.push(key);
      next = base + count;
    }
    for (const key of old) this.rows.remove(key);
    return next;
  }

  private put(topicId: number, partition: number, offset: number, records: readonly Prepared[]): void {
    this.rows.put(recordKey(topicId, partition, offset), encodeChunk(records));
  }
}
