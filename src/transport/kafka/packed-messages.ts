import type { IHeaders, Message } from 'kafkajs';

/** What the client wants of a record that it has written: its bytes. */
interface Written {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

type Mapper = (message: Message, index: number) => unknown;

/**
 * Messages of one partition for the client's `send`, at a part of its cost. The client sorts messages by partition, in a time that grows with the square
 * of their number; sorts their timestamps as texts; and writes each record into several buffers of its own. It does so by `reduce` and `map` of the array
 * that it is given, so this one answers by itself: all are of the partition, these are the first and the last timestamp, and here are all records in one
 * buffer, byte for byte as the client would write them. A call of any other kind is the array's usual one.
 */
export function packed(messages: readonly Message[], partition: number): Message[] {
  const own = [...messages];
  return Object.defineProperties(own, {
    reduce: { value: () => ({ [partition]: own }) },
    map: { value: (mapper: Mapper) => answer(own, mapper(own[0]!, 0)) ?? Array.prototype.map.call(own, mapper as never) },
  });
}

/** By what the client makes of the first message: its timestamp, or its record. */
function answer(messages: readonly Message[], first: unknown): readonly unknown[] | undefined {
  if (typeof first === 'number') return span(messages);
  if (typeof first !== 'object' || !Buffer.isBuffer((first as Partial<Written> | null)?.buf)) return undefined;
  // As many as there are, of which the first has the bytes of all.
  const records = Array.from<Written>({ length: 0 });
  records[0] = bytesOf(messages);
  records.length = messages.length;
  return records;
}

function span(messages: readonly Message[]): readonly [number, number] {
  let first = Infinity;
  let last = -Infinity;
  for (const { timestamp } of messages) {
    const at = Number(timestamp);
    if (at < first) first = at;
    if (at > last) last = at;
  }
  return [first, last];
}

/** Records of a batch, in version 2 of the format (https://kafka.apache.org/documentation/#record). */
function bytesOf(messages: readonly Message[]): Written {
  const [from] = span(messages);
  const bodies = new Uint32Array(messages.length);
  let total = 0;
  for (const [index, message] of messages.entries()) {
    const body = bodySize(message, index, Number(message.timestamp) - from);
    bodies[index] = body;
    total += varintSize(body) + body;
  }
  const buffer = Buffer.allocUnsafe(total);
  let at = 0;
  const number = (value: number): void => {
    at = putVarint(buffer, at, value);
  };
  const bytes = (value: Buffer | null): void => {
    number(value === null ? -1 : value.length);
    if (value !== null) at += value.copy(buffer, at);
  };
  for (const [index, { key, value, headers, timestamp }] of messages.entries()) {
    number(bodies[index]!);
    buffer[at] = 0; // attributes: there are none yet
    at += 1;
    number(Number(timestamp) - from);
    number(index);
    bytes(key as Buffer | null);
    bytes(value as Buffer | null);
    const pairs = pairsOf(headers);
    number(pairs.length);
    for (const [name, content] of pairs) {
      bytes(Buffer.from(name));
      bytes(content);
    }
  }
  return { buf: buffer, buffer };
}

function bodySize({ key, value, headers }: Message, index: number, delta: number): number {
  let size = 1 + varintSize(delta) + varintSize(index) + bytesSize(key as Buffer | null) + bytesSize(value as Buffer | null);
  const pairs = pairsOf(headers);
  size += varintSize(pairs.length);
  for (const [name, content] of pairs) {
    const length = Buffer.byteLength(name);
    size += varintSize(length) + length + bytesSize(content);
  }
  return size;
}

const NONE: readonly (readonly [string, Buffer])[] = [];

function pairsOf(headers: IHeaders | undefined): readonly (readonly [string, Buffer])[] {
  if (headers === undefined) return NONE;
  return Object.entries(headers).flatMap(([name, value]) =>
    Array.isArray(value) ? value.map((each) => [name, each as Buffer] as const) : [[name, value as Buffer] as const],
  );
}

function bytesSize(value: Buffer | null): number {
  return value === null ? 1 : varintSize(value.length) + value.length;
}

/** Signed numbers in turn, 0, -1, 1, -2, so that small ones of either sign take few bytes; seven bits a byte. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varintSize(value: number): number {
  let rest = zigzag(value);
  let size = 1;
  for (; rest >= 128; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

function putVarint(buffer: Buffer, from: number, value: number): number {
  let rest = zigzag(value);
  let at = from;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    buffer[at] = (rest % 128) | 128;
    at += 1;
  }
  buffer[at] = rest;
  return at + 1;
}
