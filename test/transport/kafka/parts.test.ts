import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toPenstock } from '../../../src/transport/kafka/failure.js';
import { commitText, removedBefore, startOf } from '../../../src/transport/kafka/held-partition.js';
import { MarkBook } from '../../../src/transport/kafka/mark-book.js';
import { PartitionBuffer } from '../../../src/transport/kafka/partition-buffer.js';
import { BEYOND_BYTES, progressIn, progressText } from '../../../src/transport/kafka/progress-text.js';
import { topicIdIn } from '../../../src/transport/kafka/topic-id.js';
import { Ledger } from '../../../src/transport/ledger.js';
import { decodeRanges, encodeRanges } from '../../../src/transport/ranges.js';
import type { LogRecord } from '../../../src/transport/transport.js';

const nothing = new Uint8Array(0);

function record(offset: number, bytes = 10): LogRecord {
  return { topic: 't', partition: 0, offset, key: null, value: Buffer.alloc(bytes), headers: [], timestamp: 0 };
}

describe('progress in the metadata of a commit', () => {
  it('comes back as it was, within the 4096 characters that brokers allow, whatever settles in whatever order', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.array(fc.boolean(), { minLength: 1, maxLength: 20_000 }), (start, done) => {
        const ledger = new Ledger({ capacity: done.length, start: { offset: start, beyond: nothing } });
        const places = done.map((_, index) => ledger.open(start + index)!);
        for (const [index, seq] of places.entries()) if (done[index]) ledger.settle(seq);
        const progress = ledger.progress(BEYOND_BYTES);
        const text = progressText(progress);
        expect(text.length).toBeLessThanOrEqual(4096);
        expect(progressIn(progress.offset, text)).toEqual(progress);
      }),
      { numRuns: 50 },
    );
  });

  it('what another client wrote there, and what is damaged, says nothing; no offset is no progress', () => {
    for (const text of ['', 'hello', 'p1:gA==', null]) expect(progressIn(5, text)).toEqual({ offset: 5, beyond: nothing });
    expect(progressIn(-1, '')).toBeUndefined();
    expect(commitText({ offset: 3, beyond: nothing })).not.toBe(commitText({ offset: 3, beyond: encodeRanges([[4, 5]], 3) }));
  });
});

describe('where a partition begins', () => {
  const bounds = { partition: 0, start: 10, end: 50 };

  it('without a commit at the start or at the end, with one where it says', () => {
    expect(startOf(undefined, bounds, 'earliest')).toEqual({ offset: 10, beyond: nothing });
    expect(startOf(undefined, bounds, 'latest')).toEqual({ offset: 50, beyond: nothing });
    expect(startOf({ offset: 20, beyond: nothing }, bounds, 'latest')).toEqual({ offset: 20, beyond: nothing });
  });

  it('behind what retention has removed, with what is left of the progress beyond', () => {
    const beyond = encodeRanges(
      [
        [6, 8],
        [9, 12],
        [20, 25],
      ],
      5,
    );
    const start = startOf({ offset: 5, beyond }, bounds, 'earliest')!;
    expect([start.offset, decodeRanges(start.beyond, start.offset)]).toEqual([
      10,
      [
        [10, 12],
        [20, 25],
      ],
    ]);
  });

  it('what was removed before it was settled is counted; a group at the very start has perhaps lost its place', () => {
    const beyond = encodeRanges(
      [
        [6, 8],
        [9, 12],
      ],
      5,
    );
    expect(removedBefore({ offset: 5, beyond }, 10)).toBe(2);
    expect(removedBefore({ offset: 5, beyond: nothing }, 10)).toBe(5);
    expect(removedBefore({ offset: 10, beyond: nothing }, 10)).toBe(0);
    expect(removedBefore({ offset: 0, beyond: nothing }, 10)).toBe(0);
  });

  it('at the start where the client has put the group because it found nothing at its position', () => {
    expect(startOf(progressIn(-2, ''), bounds, 'latest')).toEqual({ offset: 10, beyond: nothing });
  });

  it('nowhere when the log ends before the commit', () => {
    expect(startOf({ offset: 51, beyond: nothing }, bounds, 'earliest')).toBeUndefined();
  });
});

describe('the buffer of a partition', () => {
  it('holds each record once and in order, whatever fetches overlap', () => {
    const buffer = new PartitionBuffer(0);
    buffer.put([record(0), record(1), record(2)], 3);
    buffer.put([record(1), record(2), record(3)], 4);
    buffer.put([record(0)], 1);
    buffer.put([], 9);
    const taken = [];
    while (buffer.length > 0) taken.push(...buffer.take(0).map(({ offset }) => offset));
    expect([taken, buffer.next, buffer.size]).toEqual([[0, 1, 2, 3], 9, 0]);
  });

  it('is over by records or by bytes, and has room again at half of both', () => {
    const most = { records: 4, bytes: 10_000 };
    const buffer = new PartitionBuffer(0);
    buffer.put([record(0), record(1), record(2), record(3)], 4);
    expect(buffer.isOver(most)).toBe(false);
    buffer.put([record(4)], 5);
    expect(buffer.isOver(most)).toBe(true);
    buffer.take(0);
    expect(buffer.hasRoom(most)).toBe(true);
    buffer.put([record(5, 20_000)], 6);
    expect(buffer.isOver(most)).toBe(true);
  });
});

describe('a book of marks', () => {
  it('keeps those that expire last, and counts those that had to leave early', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 100, max: 200 })), { maxLength: 200 }),
        fc.integer({ min: 1, max: 8 }),
        (added, capacity) => {
          const book = new MarkBook(capacity);
          const last = new Map<string, number>();
          for (const [key, at] of added) {
            book.add(`${key}`, { expiresAt: at, value: '' }, 50);
            last.set(`${key}`, at);
          }
          expect(book.stats().size).toBeLessThanOrEqual(capacity);
          expect(book.stats().size).toBe([...last.keys()].filter((key) => book.has(key, 50)).length);
          for (const [key, at] of last) if (book.has(key, 50)) expect(book.has(key, at)).toBe(false);
        },
      ),
    );
  });

  it('lets what has expired go without counting it', () => {
    const book = new MarkBook(10);
    for (const key of ['a', 'b', 'c']) book.add(key, { expiresAt: 100, value: '' }, 0);
    book.add('d', { expiresAt: 300, value: '' }, 200);
    expect(book.stats()).toEqual({ size: 1, evicted: 0 });
  });
});

describe("the client's errors", () => {
  it.each([
    [{ type: 'TOPIC_AUTHORIZATION_FAILED' }, 'PS3007', 'auth'],
    [{ name: 'KafkaJSSASLAuthenticationError' }, 'PS3007', 'auth'],
    [{ code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'PS3007', 'auth'],
    [{ name: 'KafkaJSNonRetriableError', cause: { type: 'GROUP_AUTHORIZATION_FAILED' } }, 'PS3007', 'auth'],
    [{ type: 'UNKNOWN_TOPIC_OR_PARTITION' }, 'PS3008', 'transient'],
    [{ type: 'MESSAGE_TOO_LARGE' }, 'PS4101', 'permanent'],
    [{ type: 'NOT_LEADER_FOR_PARTITION' }, 'PS3001', 'transient'],
    [{ code: 'ECONNREFUSED' }, 'PS3001', 'transient'],
  ])('%j is %s, %s', (shape, code, category) => {
    const failure = toPenstock(Object.assign(new Error('said'), shape), 'doing');
    expect(failure).toMatchObject({ code, category, message: 'doing: said' });
    expect(failure.cause).toBeInstanceOf(Error);
  });
});

describe('a remedy', () => {
  it.each([
    [{ type: 'UNSUPPORTED_SASL_MECHANISM' }, 'kafka.sasl.mechanism'],
    [{ type: 'ILLEGAL_SASL_STATE' }, 'leave kafka.sasl out'],
    [{ type: 'INVALID_SESSION_TIMEOUT' }, 'kafka.session_timeout'],
    [{ name: 'KafkaJSConnectionError', message: 'Closed connection' }, 'kafka.tls'],
    [{ type: 'GROUP_AUTHORIZATION_FAILED' }, 'access control lists'],
  ])('%j: what to do says %s', (shape, words) => {
    expect(toPenstock(Object.assign(new Error('said'), shape), 'doing').help).toContain(words);
  });
});

describe('an answer about a topic', () => {
  it('that ends too early is no identity', () => {
    expect(() => topicIdIn(Buffer.alloc(3))).toThrow(RangeError);
  });
});
