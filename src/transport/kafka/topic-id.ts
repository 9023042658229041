// Request and answer of Metadata, version 10: the first that tells a topic's id, and one that the client does not speak.

const API_KEY = 3;
const API_VERSION = 10;
const NO_ID = '0'.repeat(32);

/** What the client's connection wants of a request: how it is written, and how its answer is read. */
export function topicIdRequest(topic: string) {
  const name = Buffer.from(topic);
  const body = Buffer.concat([
    Buffer.of(0), // the end of the request's header: no tagged fields
    compactLength(1),
    Buffer.alloc(16), // by name, not by id
    compactLength(name.length),
    name,
    Buffer.of(0), // tagged fields of the topic
    Buffer.of(0, 0, 0), // make no topic; tell no rights of the cluster, none of the topic
    Buffer.of(0),
  ]);
  return {
    request: {
      apiKey: API_KEY,
      apiName: 'Metadata',
      apiVersion: API_VERSION,
      encode: () => Promise.resolve({ buf: body, buffer: body, size: () => body.length }),
    },
    response: { decode: (raw: Buffer) => Promise.resolve(raw), parse: (raw: Buffer) => Promise.resolve(raw) },
  };
}

/** What brokers say of a topic that is asked for by name. */
export interface NamedTopic {
  /** The protocol's number of what is wrong with it; 0 for nothing. */
  readonly errorCode: number;
  /** 32 hexadecimal digits; undefined when the brokers know none. */
  readonly id: string | undefined;
}

/** What an answer to `topicIdRequest` says of the topic. */
export function topicIdIn(answer: Buffer): NamedTopic {
  const reader = new Reader(answer);
  reader.skipTags();
  reader.skip(4); // throttle time
  for (let broker = reader.count(); broker > 0; broker -= 1) {
    reader.skip(4);
    reader.skipText();
    reader.skip(4);
    reader.skipText();
    reader.skipTags();
  }
  reader.skipText(); // the cluster
  reader.skip(4); // its controller
  if (reader.count() < 1) return { errorCode: 0, id: undefined };
  const errorCode = reader.take(2).readInt16BE();
  reader.skipText();
  const id = reader.take(16).toString('hex');
  return { errorCode, id: id === NO_ID ? undefined : id };
}

/** Lengths of the compact form are one more than what they count; 0 stands for nothing at all. */
function compactLength(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length + 1;
  while (rest >= 128) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

class Reader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new RangeError('the answer ends too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  skip(length: number): void {
    this.take(length);
  }

  /** A compact length: 0 for nothing. */
  count(): number {
    return Math.max(0, this.varint() - 1);
  }

  skipText(): void {
    this.skip(this.count());
  }

  skipTags(): void {
    for (let tag = this.varint(); tag > 0; tag -= 1) {
      this.varint();
      this.skip(this.varint());
    }
  }

  private varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.take(1)[0]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 128) break;
    }
    return value;
  }
}
