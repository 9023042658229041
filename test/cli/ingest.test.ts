import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Address, deadLetters, type Letter, parseAddress, replay, replays } from '../../src/cli/dead-letters.js';
import { byteInput } from '../../src/cli/byte-input.js';
import { cliDomain } from '../../src/cli/domain.js';
import { ingest, type IngestCounts } from '../../src/cli/ingest.js';
import { largeLines } from '../../src/cli/large-lines.js';
import type { ByteInput } from '../../src/cli/byte-input.js';
import { claimChecks, valueOf } from '../../src/runtime/claim-check.js';
import { type DeadLetter, originalBytes, readDeadLetter } from '../../src/runtime/dead-letter.js';
import { openLocalBlobs } from '../../src/storage/blob/index.js';
import { memoryTransport } from '../../src/transport/memory/index.js';
import type { LogRecord, Transport } from '../../src/transport/transport.js';
import { temporary } from './temporary.js';

const domain = cliDomain('xact');
const folder = temporary();
const blobs = await openLocalBlobs({ directory: join(folder, 'claims') });
const claims = claimChecks({ blobs, maxBytes: 4000 });
const workshop = join(folder, 'workshop');
mkdirSync(workshop);
const large = largeLines({ blobs, workshop, folder: 'lines' });

async function records(transport: Transport, topic: string): Promise<LogRecord[]> {
  const found: LogRecord[] = [];
  for (const { partition } of await transport.offsets(topic))
    for await (const record of transport.read(topic, partition)) found.push(record);
  return found;
}

async function ingested(
  bytes: Buffer,
  maxRecord = 1000,
): Promise<{ counts: IngestCounts; raw: LogRecord[]; dead: DeadLetter[]; transport: Transport }> {
  const transport = memoryTransport();
  await transport.ensureTopics([domain.raw, domain.deadLetters].map((name) => ({ name, partitions: 1 })));
  const file = join(folder, 'in.ndjson');
  writeFileSync(file, bytes);
  const fd = openSync(file, 'r');
  try {
    const counts = await ingest({ transport, domain, input: byteInput(fd), file: 'in.ndjson', maxRecord, claims, largeLines: large });
    const raw = await records(transport, domain.raw);
    const dead: DeadLetter[] = [];
    for (const record of await records(transport, domain.deadLetters))
      dead.push(readDeadLetter({ ...record, value: await valueOf(record, claims) }).letter);
    return { counts, raw, dead, transport };
  } finally {
    closeSync(fd);
  }
}

describe('ingest', () => {
  it('A25: what cannot be a record is dead-lettered with its bytes and line, and its neighbours go on as they are', async () => {
    const good = ['{"traceId":"a","n":1e400}', '  {"trace_id":"b" }', '{"no":"key"}'];
    const bad: (readonly [string | Buffer, string])[] = [
      ['not json', 'it is not JSON'],
      ['[1]', 'it is JSON but not an object, it is a list'],
      ['null', 'it is JSON but not an object, it is null'],
      ['"text"', 'it is JSON but not an object, it is a string'],
      [Buffer.from([0x7b, 0xff, 0x7d]), 'it is not UTF-8'],
      [`{"long":"${'x'.repeat(2000)}"}`, 'it has 2011 bytes, 1000 are allowed'],
      ['{"cut":', 'it is not JSON'],
    ];
    const lines = [good[0]!, ...bad.slice(0, 4).map(([line]) => line), good[1]!, ...bad.slice(4).map(([line]) => line), good[2]!];
    const bytes = Buffer.concat(lines.flatMap((line) => [Buffer.from(line as string), Buffer.from('\n')]));
    const { counts, raw, dead } = await ingested(bytes);
    expect(counts).toEqual({ read: 10, ingested: 3, dead_lettered: 7 });
    expect(raw.map(({ value }) => value!.toString())).toEqual(good);
    expect(raw.map(({ key }) => key?.toString())).toEqual(['a', 'b', undefined]);
    expect(dead.map(({ source_line, final_error }) => [source_line, final_error])).toEqual(
      [2, 3, 4, 5, 7, 8, 9].map((line, index) => [line, `line ${line} cannot be a record: ${bad[index]![1]}`]),
    );
    dead.forEach((letter, index) => expect(originalBytes(letter)!.equals(Buffer.from(bad[index]![0] as string))).toBe(true));
    expect(dead.map(({ reason }) => reason)).toEqual([
      'unreadable',
      'unreadable',
      'unreadable',
      'unreadable',
      'unreadable',
      'too_large',
      'unreadable',
    ]);
    expect(dead[0]).toMatchObject({
      source_file: 'in.ndjson',
      original_topic: 'xact.events.raw',
      worker: 'ingest',
      error_category: 'permanent',
    });
  });

  it('knows empty lines, line ends of both kinds, a byte order mark and a last line without an end', async () => {
    const { counts, raw } = await ingested(Buffer.from('\uFEFF{"a":1}\r\n\n\r\n{"b":2}\n{"c":3}'));
    expect(counts).toEqual({ read: 3, ingested: 3, dead_lettered: 0 });
    expect(raw.map(({ value }) => value!.toString())).toEqual(['{"a":1}', '{"b":2}', '{"c":3}']);
  });

  it('takes a line of 10 MB whole, as a record or as a dead letter', async () => {
    const line = `{"big":"${'x'.repeat(10_000_000)}"}`;
    const taken = await ingested(Buffer.from(`${line}\n{}\n`), 11_000_000);
    expect(taken.raw.map(({ value }) => value!.length)).toEqual([line.length, 2]);
    const refused = await ingested(Buffer.from(`${line}\n{}\n`), 8 * 1024 * 1024);
    expect(refused.counts).toEqual({ read: 2, ingested: 1, dead_lettered: 1 });
    expect(originalBytes(refused.dead[0]!)!.equals(Buffer.from(line))).toBe(true);
  });

  it.each([
    ['in the middle', '\n{"b":2}\n', 2],
    ['with a carriage return', '\r\n', 1],
    ['without an end', '', 1],
  ])('A25: a line of many times the limit, %s, goes to a file as it comes, which its dead letter names', async (_where, after, good) => {
    const line = Buffer.from(`{"big":"${'xyz'.repeat(1_500_000)}"}`);
    const { counts, raw, dead, transport } = await ingested(Buffer.concat([Buffer.from('{"a":1}\n'), line, Buffer.from(after)]));
    expect(counts).toEqual({ read: good + 1, ingested: good, dead_lettered: 1 });
    expect(raw).toHaveLength(good);
    const sha256 = createHash('sha256').update(line).digest('hex');
    expect(dead).toMatchObject([
      {
        reason: 'too_large',
        source_line: 2,
        original_value: null,
        original_file: `lines/${sha256}`,
        original_bytes: line.length,
        original_sha256: sha256,
        final_error: `line 2 cannot be a record: it has ${line.length} bytes, 1000 are allowed`,
      },
    ]);
    expect(readFileSync(join(folder, 'claims', dead[0]!.original_file!)).equals(line)).toBe(true);
    expect(readdirSync(workshop)).toEqual([]);
    const [letter] = await all(deadLetters(transport, domain, {}, { claims, onUnreadable: () => undefined }));
    await expect(replay(transport, domain, [letter!], { claims, now: new Date() })).rejects.toMatchObject({ code: 'PS4101' });
  });

  it('L4: holds no more of a line without end than the limit asks for', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 'x');
    let left = 150;
    let most = 0;
    const input: ByteInput = {
      read(into, offset) {
        most = Math.max(most, process.memoryUsage().arrayBuffers);
        if (left === 0) return Promise.resolve(0);
        left -= 1;
        return Promise.resolve(megabyte.copy(into, offset));
      },
    };
    const before = process.memoryUsage().arrayBuffers;
    const counts = await ingest({
      transport: memoryTransport(),
      domain,
      input,
      file: 'in',
      maxRecord: 1_000_000,
      claims,
      largeLines: large,
    });
    expect(counts).toEqual({ read: 1, ingested: 0, dead_lettered: 1 });
    expect(most - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('L7: any bytes leave as records or dead letters, every line once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 30 }),
            fc.json().map((text) => Buffer.from(text)),
          ),
          { maxLength: 20 },
        ),
        async (chunks) => {
          const lines = chunks
            .map((chunk) => Buffer.from(chunk.filter((byte) => byte !== 10 && byte !== 13)))
            .filter((line) => line.length > 0);
          const { counts, raw, dead } = await ingested(Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])));
          expect(counts.read).toBe(counts.ingested + counts.dead_lettered);
          const out = [...raw.map(({ value }) => value!.toString('hex')), ...dead.map((letter) => originalBytes(letter)!.toString('hex'))];
          const marked = (line: Buffer, index: number) =>
            index === 0 && line.subarray(0, 3).toString('hex') === 'efbbbf' ? line.subarray(3) : line;
          expect(out.sort()).toEqual(
            lines
              .map(marked)
              .filter((line) => line.length > 0)
              .map((line) => line.toString('hex'))
              .sort(),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('rejects when the log does not take the records', async () => {
    const transport: Transport = { ...memoryTransport(), produce: () => Promise.reject(new Error('the disk is full')) };
    const file = join(folder, 'rejected.ndjson');
    writeFileSync(file, '{"a":1}\n');
    const fd = openSync(file, 'r');
    await expect(ingest({ transport, domain, input: byteInput(fd), file, maxRecord: 100, claims, largeLines: large })).rejects.toThrow(
      'the disk is full',
    );
    closeSync(fd);
  });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('dead letters', () => {
  const ignore = { claims, onUnreadable: () => undefined };

  it('A7: of lines that are too large travel by claim check, with all their bytes', async () => {
    const line = `["${'x'.repeat(5000)}"]`;
    const { transport, raw } = await ingested(Buffer.from(`${line}\n{"pad":"${'y'.repeat(5000)}"}\n`), 6000);
    const [record] = await records(transport, domain.deadLetters);
    expect(record!.value).toBeNull();
    const [found] = await all(deadLetters(transport, domain, {}, ignore));
    expect(originalBytes(found!.letter)!.toString()).toBe(line);
    // what several groups read travels whole
    expect(raw.map(({ value }) => value!.length)).toEqual([5010]);
    await replay(transport, domain, [found!], { claims, now: new Date() });
    expect((await records(transport, domain.raw)).at(-1)!.value!.toString()).toBe(line);
  });

  it('A7: are sent again by claim check when one group alone reads them', async () => {
    const { transport } = await ingested(Buffer.from('x\n'));
    const [found] = await all(deadLetters(transport, domain, {}, ignore));
    const original_value = Buffer.from('z'.repeat(5000)).toString('base64');
    const letter = { ...found!.letter, consumer_group: 'xact-download', original_value };
    await replay(transport, domain, [{ ...found!, letter }], { claims, now: new Date() });
    const sent = (await records(transport, domain.raw)).at(-1)!;
    expect(sent.value).toBeNull();
    expect((await valueOf(sent, claims))!.toString()).toBe('z'.repeat(5000));
  });

  it('C15: are addressed by their own position', async () => {
    expect(parseAddress('2:41')).toEqual({ partition: 2, offset: 41 });
    expect(parseAddress('xact.dlq@0:7')).toEqual({ partition: 0, offset: 7 });
    for (const text of ['', '1', 'a:b', '1:-1', '1:2:3']) expect(parseAddress(text)).toBeUndefined();
    const { transport } = await ingested(Buffer.from('x\ny\nz\n'));
    const addresses: Address[] = [{ partition: 0, offset: 1 }];
    const found = await all(deadLetters(transport, domain, {}, { addresses, ...ignore }));
    expect(found.map(({ offset, letter }) => [offset, letter.source_line])).toEqual([[1, 2]]);
  });

  it('C14: are sent again once, with the note written together with the record', async () => {
    const { transport } = await ingested(Buffer.from('x\ny\n'));
    const before = await all(deadLetters(transport, domain, {}, ignore));
    expect(before.map(({ replayedAt }) => replayedAt)).toEqual([undefined, undefined]);
    await replay(transport, domain, before.slice(0, 1), { claims, now: new Date('2026-02-03T04:05:06Z') });
    const sent = await records(transport, domain.raw);
    expect(sent.map(({ value }) => value!.toString())).toEqual(['x']);
    expect(sent[0]!.headers.map(([name, value]) => [name, value.toString()])).toEqual([
      ['replayed_from_dlq', 'true'],
      ['dlq_partition', '0'],
      ['dlq_offset', '0'],
    ]);
    expect([...(await replays(transport, domain))]).toEqual([['0:0', '2026-02-03T04:05:06.000Z']]);
    const after: Letter[] = await all(deadLetters(transport, domain, {}, ignore));
    expect(after.map(({ replayedAt }) => replayedAt)).toEqual(['2026-02-03T04:05:06.000Z', undefined]);
  });

  it('have no note before they are sent, on a log that does not write both at once', async () => {
    const { transport } = await ingested(Buffer.from('x\n'));
    const [letter] = await all(deadLetters(transport, domain, {}, ignore));
    const produce: typeof transport.produce = async (written) => {
      const taken = written.filter(({ topic }) => topic !== domain.raw);
      if (taken.length > 0) await transport.produce(taken);
      throw new Error('the topic has no leader');
    };
    const apart = Object.assign(Object.create(transport) as typeof transport, {
      capabilities: { ...transport.capabilities, atomicCommit: false },
      produce,
    });
    await expect(replay(apart, domain, [letter!], { claims, now: new Date() })).rejects.toThrow('no leader');
    expect([...(await replays(transport, domain))]).toEqual([]);
  });

  it('that are no dead letters are told and left out', async () => {
    const { transport } = await ingested(Buffer.from('x\n'));
    await transport.produce([{ topic: domain.deadLetters, key: null, value: 'odd' }]);
    const unreadable: unknown[] = [];
    const found = await all(
      deadLetters(transport, domain, {}, { ...ignore, onUnreadable: ({ partition, offset }) => unreadable.push([partition, offset]) }),
    );
    expect(found).toHaveLength(1);
    expect(unreadable).toEqual([[0, 1]]);
  });
});
