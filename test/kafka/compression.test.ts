import { createHash } from 'node:crypto';
import Module, { createRequire } from 'node:module';
import kafkajs from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { compressionType } from '../../src/transport/kafka/compression.js';
import { openKafka } from '../../src/transport/kafka/index.js';
import type { Compression, KafkaOptions } from '../../src/transport/kafka/index.js';
import type { LogRecord, NewRecord, Transport } from '../../src/transport/transport.js';
import { Broker } from '../broker/broker.js';
import type { OtherClient, PlainRecord } from '../broker/other-client.js';
import { Collector, until } from '../transport/collector.js';
import { drawing } from './scale.js';
import { QUICK } from './subject.js';

const { CompressionCodecs } = kafkajs;
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
const PACKAGES = { snappy: 'kafkajs-snappy', lz4: '@2l/kafkajs-lz4', zstd: '@bokuweb/zstd-wasm' } as const;

let broker: Broker;
let other: OtherClient;
const opened: Transport[] = [];
const collectors: Collector[] = [];

beforeAll(async () => {
  broker = await Broker.start();
  other = broker.otherClient();
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const collector of collectors.splice(0)) collector.unsubscribe();
  for (const transport of opened.splice(0)) await transport.close();
});

afterAll(() => broker?.stop());

async function open(options: Partial<KafkaOptions> = {}, from: typeof openKafka = openKafka): Promise<Transport> {
  const transport = await from({ ...QUICK, brokers: broker.brokers, deliveryTimeoutMs: 15_000, ...options });
  opened.push(transport);
  return transport;
}

/** Text that packs well, bytes that do not pack at all, keys and values of nothing and of no bytes, headers that are repeated: longer than any block. */
const RECORDS: readonly PlainRecord[] = ((): readonly PlainRecord[] => {
  const draw = drawing(7);
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => Math.floor(draw() * 256)));
  const headers = [
    ['trace', noise(16)],
    ['tag', Buffer.from('one')],
    ['tag', Buffer.from('zwei é')],
    ['empty', Buffer.alloc(0)],
  ] as const;
  return [
    ...Array.from({ length: 200 }, (_, index) => ({
      key: index % 5 === 0 ? null : Buffer.from(`key ${index % 17}`),
      value: index % 7 === 0 ? null : Buffer.from(`${index} ${'a claim event '.repeat(index % 60)}`),
      headers: index % 3 === 0 ? headers : [],
    })),
    { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [] },
    { key: noise(300), value: noise(150_000), headers: [] },
    { key: Buffer.from('long'), value: Buffer.alloc(500_000, 'abcdefgh'), headers: [] },
  ];
})();

/** Texts that can be compared quickly, and shown. */
function texts(records: readonly PlainRecord[]): readonly string[] {
  const text = (bytes: Buffer | null) =>
    bytes === null ? 'null' : `${bytes.length} ${createHash('sha256').update(bytes).digest('hex').slice(0, 8)}`;
  return records.map(({ key, value, headers }) =>
    [text(key), text(value), ...headers.map(([name, bytes]) => `${name}=${text(bytes)}`)].join(', '),
  );
}

function plain({ key, value, headers }: LogRecord): PlainRecord {
  return { key, value, headers };
}

function to(topic: string): (record: PlainRecord) => NewRecord {
  return ({ key, value, headers }) => ({ topic, partition: 0, key, value, headers });
}

async function everything(transport: Transport, topic: string): Promise<readonly PlainRecord[]> {
  const records = [];
  for await (const record of transport.read(topic, 0)) records.push(plain(record));
  return records;
}

/** How often a codec has packed and unpacked from now on; of records that are not packed, never. */
function watched(compression: Compression): { packed: number; unpacked: number } {
  const counts = { packed: 0, unpacked: 0 };
  const type = compressionType(compression);
  const made = CompressionCodecs[type as keyof typeof CompressionCodecs] as (() => Codec) | undefined;
  if (made === undefined) return counts;
  const codec = made();
  vi.spyOn(CompressionCodecs as unknown as Record<number, () => Codec>, type).mockReturnValue({
    compress: (encoder) => {
      counts.packed += 1;
      return codec.compress(encoder);
    },
    decompress: (bytes) => {
      counts.unpacked += 1;
      return codec.decompress(bytes);
    },
  });
  return counts;
}

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

describe.each(CODECS)('compression %s', (compression) => {
  it('records come back as they were: produced, carried by a claim, consumed and read', async () => {
    const counts = watched(compression);
    const transport = await open({ compression });
    const [source, sink] = [`${compression}.source`, `${compression}.sink`];
    await transport.ensureTopics([source, sink].map((name) => ({ name, partitions: 1 })));
    await transport.produce(RECORDS.map(to(source)));
    expect(texts(await everything(transport, source))).toEqual(texts(RECORDS));
    const copy = to(sink);
    const credits = { count: 1000, bytes: 10_000_000 };
    const collector = new Collector(transport.consume({ topics: [source], group: source, credits }), (delivery) => {
      delivery.carry({ kind: 'produce', record: copy(plain(delivery.value)) });
      delivery.settle('delivered');
    });
    collectors.push(collector);
    await collector.has(RECORDS.length);
    expect(texts(collector.deliveries.map(({ value }) => plain(value)))).toEqual(texts(RECORDS));
    await until('an empty backlog', async () => (await transport.backlog(source, [source])) === 0);
    expect(texts(await everything(transport, sink))).toEqual(texts(RECORDS));
    if (compression === 'none') return;
    expect(counts.packed).toBeGreaterThan(1);
    expect(counts.unpacked).toBeGreaterThan(2);
  });

  it("Kafka's own client reads what is written here, and what it writes is read here", async () => {
    const counts = watched(compression);
    const transport = await open({ compression });
    const [ours, theirs] = [`${compression}.ours`, `${compression}.theirs`];
    await transport.ensureTopics([ours, theirs].map((name) => ({ name, partitions: 1 })));
    await transport.produce(RECORDS.map(to(ours)));
    expect(texts(await other.read(ours))).toEqual(texts(RECORDS));
    await other.write(compression, theirs, RECORDS);
    expect(texts(await everything(transport, theirs))).toEqual(texts(RECORDS));
    const collector = new Collector(transport.consume({ topics: [theirs], group: theirs, credits: { count: 1000, bytes: 10_000_000 } }));
    collectors.push(collector);
    await collector.has(RECORDS.length);
    expect(texts(collector.deliveries.map(({ value }) => plain(value)))).toEqual(texts(RECORDS));
    if (compression === 'none') return;
    expect(counts.packed).toBeGreaterThan(0);
    expect(counts.unpacked).toBeGreaterThan(1);
  });
});

it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('a batch that %s has made small is read, whatever it grows to', async (compression) => {
  const transport = await open();
  const topic = `grown.${compression}`;
  await transport.ensureTopics([{ name: topic, partitions: 1 }]);
  const value = Buffer.alloc(18_000_000, 'claim');
  await other.write(compression, topic, [{ key: null, value, headers: [] }]);
  const [record, ...others] = await everything(transport, topic);
  expect([others.length, record!.value!.equals(value)]).toEqual([0, true]);
});

it.each(['snappy', 'lz4', 'zstd'] as const)(
  'bytes that are not what %s packs are refused, and the next that are can be unpacked',
  async (compression) => {
    const made = CompressionCodecs[compressionType(compression) as 2] as () => Codec;
    await expect(made().decompress(Buffer.from('not packed at all'))).rejects.toThrow(/./);
    const packed = await made().compress({ buffer: Buffer.from('packed') });
    expect((await made().decompress(packed)).toString()).toBe('packed');
  },
);

it('whoever else uses the package of zstd, and initialises it at any time, does not disturb', async () => {
  const made = CompressionCodecs[compressionType('zstd') as 4] as () => Codec;
  const packed = await made().compress({ buffer: Buffer.from('packed') });
  const theirs = createRequire(import.meta.url)(PACKAGES.zstd) as { init(): Promise<void>; compress(bytes: Buffer): Uint8Array };
  await theirs.init();
  await theirs.init();
  // Broken from when the second has really come about, which nothing tells.
  await until('a library that is broken', async () => {
    const copy = Buffer.from(theirs.compress(Buffer.alloc(500, 'p')));
    return (
      (await made()
        .decompress(copy)
        .catch(() => undefined)) === undefined
    );
  });
  expect((await made().decompress(packed)).toString()).toBe('packed');
  expect((await made().compress({ buffer: Buffer.from('packed') })).equals(packed)).toBe(true);
});

describe('a codec whose package is missing', () => {
  /** As on a machine where it is not installed: nothing of this process that was loaded before knows of it. */
  async function without(name: string, work: (from: typeof openKafka) => Promise<void>): Promise<void> {
    const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
    const load = loader._load;
    vi.spyOn(loader, '_load').mockImplementation(function (this: unknown, request, ...rest) {
      if (request !== name) return load.call(this, request, ...rest);
      throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
    });
    const before = { ...CompressionCodecs };
    vi.resetModules();
    try {
      await work((await import('../../src/transport/kafka/index.js')).openKafka);
    } finally {
      Object.assign(CompressionCodecs, before);
      vi.resetModules();
    }
  }

  it.each(Object.entries(PACKAGES) as [keyof typeof PACKAGES, string][])(
    '%s is refused when the log is opened',
    async (compression, name) => {
      await without(name, async (from) => {
        await expect(open({ compression }, from)).rejects.toMatchObject({
          code: 'PS1102',
          message: expect.stringContaining(`compression ${compression} needs the package ${name}, which is not installed`),
        });
        for (const installed of CODECS) if (installed !== compression) await open({ compression: installed }, from);
      });
    },
  );

  it('records that it has packed: the consumer names the package, and does not go past them', async () => {
    const writer = await open({ compression: 'zstd' });
    await writer.ensureTopics([{ name: 'unpackable', partitions: 1 }]);
    await writer.produce([{ topic: 'unpackable', key: null, value: 'packed' }]);
    await without(PACKAGES.zstd, async (from) => {
      const warnings: string[] = [];
      const transport = await open({ onWarning: (error) => warnings.push(error.message) }, from);
      const consumer = transport.consume({ topics: ['unpackable'], group: 'unpackable', credits: { count: 1, bytes: 1000 } });
      const collector = new Collector(consumer);
      collectors.push(collector);
      await until('the name of the package', () => warnings.some((text) => text.includes(PACKAGES.zstd)), 30_000);
      expect([collector.deliveries.length, consumer.state().fault]).toEqual([0, expect.any(String)]);
      expect(await transport.committed('unpackable', 'unpackable')).toEqual([{ partition: 0, offset: -1 }]);
      await expect(everything(transport, 'unpackable')).rejects.toThrow(PACKAGES.zstd);
      collector.unsubscribe();
      await transport.close();
    });
    const mended = new Collector(writer.consume({ topics: ['unpackable'], group: 'unpackable', credits: { count: 1, bytes: 1000 } }));
    collectors.push(mended);
    await until('the record', () => mended.values.includes('packed'), 30_000);
  });
});
