import { crc32 } from 'node:zlib';
import { PenstockError } from '../../diagnostics/index.js';
import type { Prepared } from '../prepared.js';
import type { Header, LogRecord } from '../transport.js';

/*
 * A chunk holds consecutive records of one partition that became durable together:
 *
 *   version u8 · crc32 u32 of all that follows · count u32 · newest timestamp f64 · records
 *   record: body length u32 · timestamp f64 · key length i32 · value length i32 · headers u16
 *           · (name length u16 · name · length u32 · bytes) a header · key · value          (length -1: null)
 */
const VERSION = 1;
const HEAD = 17;
const RECORD_HEAD = 22;
const NO_HEADERS: readonly Header[] = [];

/** The bytes of a record in a chunk. */
export function encodedSize({ key, value, headers }: Prepared): number {
  let size = RECORD_HEAD + (key === null ? 0 : key.length) + (value === null ? 0 : value.length);
  for (const [name, bytes] of headers) size += 6 + Buffer.byteLength(name) + bytes.length;
  return size;
}

export function encodeChunk(records: readonly Prepared[]): Buffer {
  let size = HEAD;
  for (const record of records) size += encodedSize(record);
  const chunk = Buffer.allocUnsafe(size);
  let newest = -Infinity;
  let at = HEAD;
  for (const record of records) {
    newest = Math.max(newest, record.timestamp);
    at = writeRecord(chunk, at, record);
  }
  chunk.writeUInt8(VERSION, 0);
  chunk.writeUInt32LE(records.length, 5);
  chunk.writeDoubleLE(newest, 9);
  chunk.writeUInt32LE(crc32(chunk.subarray(5)), 1);
  return chunk;
}

/** How many records a chunk holds, and the newest timestamp among them. */
export function chunkSummary(chunk: Buffer): { readonly count: number; readonly newest: number } {
  return { count: chunk.readUInt32LE(5), newest: chunk.readDoubleLE(9) };
}

/** The records of a chunk from an offset on; their bytes are views of the chunk. Throws PS3006 when the chunk is not what was written. */
export function decodeChunk(chunk: Buffer, topic: string, partition: number, base: number, from: number): LogRecord[] {
  if (chunk.length < HEAD || chunk[0] !== VERSION || chunk.readUInt32LE(1) !== crc32(chunk.subarray(5))) {
    throw new PenstockError('PS3006', `the records of ${topic}/${partition} from offset ${base} are damaged: their checksum is another`, {
      category: 'permanent',
    });
  }
  const count = chunk.readUInt32LE(5);
  const records: LogRecord[] = [];
  let at = HEAD;
  for (let index = 0; index < count; index += 1) {
    const end = at + chunk.readUInt32LE(at);
    if (base + index >= from) records.push(readRecord(chunk, at, topic, partition, base + index));
    at = end;
  }
  return records;
}

function writeRecord(chunk: Buffer, start: number, { timestamp, key, value, headers }: Prepared): number {
  chunk.writeDoubleLE(timestamp, start + 4);
  chunk.writeInt32LE(key === null ? -1 : key.length, start + 12);
  chunk.writeInt32LE(value === null ? -1 : value.length, start + 16);
  chunk.writeUInt16LE(headers.length, start + 20);
  let at = start + RECORD_HEAD;
  for (const [name, bytes] of headers) {
    const length = chunk.write(name, at + 2);
    chunk.writeUInt16LE(length, at);
    at += 2 + length;
    chunk.writeUInt32LE(bytes.length, at);
    at += 4;
    chunk.set(bytes, at);
    at += bytes.length;
  }
  if (key !== null) {
    chunk.set(key, at);
    at += key.length;
  }
  if (value !== null) {
    chunk.set(value, at);
    at += value.length;
  }
  chunk.writeUInt32LE(at - start, start);
  return at;
}

function readRecord(chunk: Buffer, start: number, topic: string, partition: number, offset: number): LogRecord {
  const timestamp = chunk.readDoubleLE(start + 4);
  const keyLength = chunk.readInt32LE(start + 12);
  const valueLength = chunk.readInt32LE(start + 16);
  const count = chunk.readUInt16LE(start + 20);
  let at = start + RECORD_HEAD;
  let headers = NO_HEADERS;
  if (count > 0) {
    const read: Header[] = [];
    for (let index = 0; index < count; index += 1) {
      const nameEnd = at + 2 + chunk.readUInt16LE(at);
      const end = nameEnd + 4 + chunk.readUInt32LE(nameEnd);
      read.push([chunk.toString('utf8', at + 2, nameEnd), chunk.subarray(nameEnd + 4, end)]);
      at = end;
    }
    headers = read;
  }
  const key = keyLength < 0 ? null : chunk.subarray(at, at + keyLength);
  if (keyLength > 0) at += keyLength;
  const value = valueLength < 0 ? null : chunk.subarray(at, at + valueLength);
  return { topic, partition, offset, key, value, headers, timestamp };
}
