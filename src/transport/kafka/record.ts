import type { IHeaders, KafkaMessage, Message } from 'kafkajs';
import type { Prepared } from '../prepared.js';
import type { Header, LogRecord } from '../transport.js';

const EMPTY = Buffer.alloc(0);
const NO_HEADERS: readonly Header[] = [];

/** A record that has its partition. */
export interface Placed extends Prepared {
  readonly partition: number;
}

/** Bytes of a record's own in a batch, beyond key, value and headers; rather too many. */
const FRAME = 40;

/** About how many bytes the record takes in a request, before packing. */
export function wireSize({ key, value, headers }: Prepared): number {
  let size = FRAME + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, bytes] of headers) size += name.length * 3 + bytes.length + 10;
  return size;
}

/** The timestamp stays a number, which the client takes as well: writing it as text and reading it again costs more than the rest. */
export function messageOf({ key, value, headers, partition, timestamp }: Placed): Message {
  return {
    key,
    value,
    partition,
    timestamp: timestamp as unknown as string,
    ...(headers.length === 0 ? {} : { headers: wireHeaders(headers) }),
  };
}

/** Repeated names keep their order among themselves. */
function wireHeaders(headers: readonly Header[]): IHeaders {
  const wire: Record<string, Buffer | Buffer[]> = {};
  for (const [name, bytes] of headers) {
    const before = Object.hasOwn(wire, name) ? wire[name] : undefined;
    const next = before === undefined ? bytes : Array.isArray(before) ? [...before, bytes] : [before, bytes];
    Object.defineProperty(wire, name, { value: next, enumerable: true, configurable: true, writable: true });
  }
  return wire;
}

/** Copies, so that one record that is held long does not hold the whole answer that it came with. */
export function recordOf(topic: string, partition: number, message: KafkaMessage): LogRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key === null ? null : copyOf(message.key),
    value: message.value === null ? null : copyOf(message.value),
    headers: headersOf(message.headers),
    timestamp: Number(message.timestamp),
  };
}

function copyOf(bytes: Buffer): Buffer {
  return bytes.length === 0 ? EMPTY : Buffer.from(bytes);
}

function headersOf(wire: IHeaders | undefined): readonly Header[] {
  if (wire === undefined) return NO_HEADERS;
  const headers: Header[] = [];
  for (const name in wire) {
    const value = wire[name] ?? EMPTY;
    if (Array.isArray(value)) for (const each of value) headers.push([name, bytesOf(each)]);
    else headers.push([name, bytesOf(value)]);
  }
  return headers.length === 0 ? NO_HEADERS : headers;
}

function bytesOf(value: Buffer | string | null): Buffer {
  return value === null ? EMPTY : copyOf(typeof value === 'string' ? Buffer.from(value) : value);
}
