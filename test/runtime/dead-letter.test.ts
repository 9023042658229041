import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import {
  type DeadLetterFacts,
  deadLetterRecord,
  matchesFilter,
  originalBytes,
  readDeadLetter,
  replayRecord,
} from '../../src/runtime/dead-letter.js';
import type { LogRecord, NewRecord } from '../../src/transport/transport.js';

const record: LogRecord = {
  topic: 'xact.downloads.pending',
  partition: 3,
  offset: 17,
  key: Buffer.from('t-1'),
  value: Buffer.from('{"trace_id":"t-1"}'),
  headers: [
    ['event_type', Buffer.from('a.b')],
    ['retry_count', Buffer.from('2')],
    ['redelivered_from', Buffer.from('xact.retry')],
    ['raw', Buffer.from([0xff, 0x00])],
  ],
  timestamp: Date.parse('2031-03-04T05:06:07Z'),
};

const facts: DeadLetterFacts = {
  topic: 'xact.dlq',
  source: { kind: 'record', record },
  reason: 'max_retries_exceeded',
  error: new PenstockError('PS4104', 'HTTP 503', { category: 'transient', httpStatus: 503 }),
  domain: 'xact',
  worker: 'xact-download',
  group: 'xact-download',
  retryCount: 2,
  message: { trace_id: 't-1', media_id: 'm-1', retry_count: 2, metadata: { keep: 'me' } },
  about: { trace_id: 't-1', media_id: 'm-1' },
  now: new Date('2031-03-04T12:00:00Z'),
};

/** The record as the dead-letter topic gives it back. */
function found(written: NewRecord, offset = 5) {
  const value = Buffer.from(written.value as string);
  return readDeadLetter({ topic: written.topic, partition: 1, offset, key: null, value, headers: [], timestamp: 0 });
}

const textOf = (written: NewRecord) =>
  Object.fromEntries((written.headers as readonly (readonly [string, Buffer])[]).map(([name, value]) => [name, value.toString()]));

describe('dead letters', () => {
  it('A7: hold the original bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const value = Buffer.from(bytes);
        const { letter } = found(deadLetterRecord({ ...facts, source: { kind: 'record', record: { ...record, value } } }));
        expect(originalBytes(letter)?.equals(value)).toBe(true);
      }),
    );
  });

  it('C14: one envelope says where it came from, who gave it up and why, and is read back', () => {
    const written = deadLetterRecord(facts);
    expect(written).toMatchObject({ topic: 'xact.dlq', key: 't-1' });
    expect(written.headers).toEqual({
      trace_id: 't-1',
      retry_count: '2',
      error_category: 'transient',
      dlq_reason: 'max_retries_exceeded',
      failed: 'true',
    });
    expect(found(written)).toMatchObject({
      topic: 'xact.dlq',
      partition: 1,
      offset: 5,
      letter: {
        reason: 'max_retries_exceeded',
        worker: 'xact-download',
        error_code: 'PS4104',
        final_error: 'HTTP 503',
        http_status: 503,
        media_id: 'm-1',
        original_topic: 'xact.downloads.pending',
        original_partition: 3,
        original_offset: 17,
        original_timestamp: '2031-03-04T05:06:07.000Z',
      },
    });
  });

  it('a line of a file has its file and its number', () => {
    const source = { kind: 'line', file: 'events.ndjson', line: 7, bytes: Buffer.from([0xff]), topic: 'xact.events.raw' } as const;
    const { letter } = found(
      deadLetterRecord({ ...facts, source, reason: 'unreadable', error: new Error('no JSON'), message: undefined, about: undefined }),
    );
    expect(letter).toMatchObject({
      source_file: 'events.ndjson',
      source_line: 7,
      original_topic: 'xact.events.raw',
      original_offset: null,
    });
    expect(originalBytes(letter)).toEqual(Buffer.from([0xff]));
  });

  it('G15: the error stands there as the redactor leaves it, cut to 500 characters', () => {
    const error = new Error(`token=s3cret ${'x'.repeat(600)}`);
    const { letter } = found(deadLetterRecord({ ...facts, error, redact: (text) => text.replace('s3cret', '[REDACTED]') }));
    expect(letter.final_error).toHaveLength(500);
    expect(letter.final_error).not.toContain('s3cret');
  });

  it('C15: letters are told apart by attachment, not by event alone', () => {
    const letters = ['m-1', 'm-2'].map((media_id) => found(deadLetterRecord({ ...facts, about: { trace_id: 't-1', media_id } })).letter);
    expect(letters.filter((letter) => matchesFilter(letter, { traceId: 't-1' }))).toHaveLength(2);
    expect(letters.filter((letter) => matchesFilter(letter, { mediaId: 'm-2' }))).toHaveLength(1);
    expect(matchesFilter(letters[0]!, { since: facts.now, reason: 'max_retries_exceeded', worker: 'xact-download' })).toBe(true);
    expect(matchesFilter(letters[0]!, { until: facts.now })).toBe(false);
  });

  it('C14: a replay goes to the topic it came from, counted from 0, for the group that gave it up, and says which letter it is', () => {
    const replayed = replayRecord(found(deadLetterRecord(facts), 5));
    expect(replayed).toMatchObject({ topic: 'xact.downloads.pending', key: Buffer.from('t-1') });
    expect(textOf(replayed)).toMatchObject({
      event_type: 'a.b',
      replayed_from_dlq: 'true',
      dlq_partition: '1',
      dlq_offset: '5',
      consumer_group: 'xact-download',
    });
    expect(textOf(replayed)).not.toHaveProperty('retry_count');
    expect(textOf(replayed)).not.toHaveProperty('redelivered_from');
    const headers = replayed.headers as readonly (readonly [string, Buffer])[];
    expect(headers.find(([name]) => name === 'raw')?.[1]).toEqual(Buffer.from([0xff, 0x00]));
    expect(JSON.parse(replayed.value as string)).toMatchObject({
      retry_count: 0,
      metadata: { keep: 'me', replayed_from_dlq: true, dlq_partition: 1, dlq_offset: 5 },
    });
  });

  it('a message that does not count itself is replayed byte for byte', () => {
    const replayed = replayRecord(found(deadLetterRecord({ ...facts, message: { traceId: 't-1' } })));
    expect(replayed.value).toEqual(record.value);
  });

  it('a record that is no dead letter is said to be none', () => {
    const value = Buffer.from('{}');
    expect(() => readDeadLetter({ ...record, value })).toThrow(/xact\.downloads\.pending\[3\]@17 holds no dead letter/);
    expect(() => readDeadLetter({ ...record, value: null })).toThrow(PenstockError);
  });
});
