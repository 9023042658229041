import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { factsOf, parseEvent, readEvent, subtypeOf } from '../../src/domains/xact/event.js';

const raw = {
  type: 'verisk.claims.property.xn.estimatePackageReceived',
  version: 1,
  utcDateTime: '2031-03-04T05:06:07Z',
  traceId: 't-1',
  data: { assignmentId: 'DEMO-A-1', attachments: ['https://files.example.com/a.pdf'] },
};

/** What was thrown; fails when nothing was, or anything but an error of ours that is permanent. */
function refusal(read: () => unknown): PenstockError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(PenstockError);
    expect((error as PenstockError).category).toBe('permanent');
    return error as PenstockError;
  }
  return expect.unreachable('the event was read');
}

describe('raw events', () => {
  it('A25: what is no object, no UTF-8 or no JSON is a permanent failure of its own', () => {
    for (const text of ['', '[]', 'null', '5', '"text"', '{', "{'a':1}", `${JSON.stringify(raw)}x`]) {
      expect(refusal(() => readEvent(Buffer.from(text))).code).toBe('PS4101');
    }
    expect(refusal(() => readEvent(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))).message).toBe('the message is not UTF-8');
  });

  it('A25: any bytes give an event or a PenstockError, never anything else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          try {
            factsOf(readEvent(bytes));
          } catch (error) {
            expect(error).toBeInstanceOf(PenstockError);
          }
        },
      ),
    );
  });

  it('A25: any value under any field gives an event or a PenstockError, and facts of every event can be read', () => {
    const field = fc.constantFrom('type', 'version', 'utcDateTime', 'traceId', 'eventId', 'data', 'trace_id', 'event_id', 'utc_datetime');
    fc.assert(
      fc.property(fc.dictionary(field, fc.jsonValue()), (fields) => {
        try {
          factsOf(parseEvent({ ...raw, ...fields }));
        } catch (error) {
          expect(error).toBeInstanceOf(PenstockError);
        }
      }),
    );
  });

  it('names the wrong fields and never their content', () => {
    const error = refusal(() => parseEvent({ ...raw, type: '   ', traceId: 5, note: 'password=hunter2' }));
    expect(error.message).toContain('type');
    expect(error.message).toContain('traceId');
    expect(error.message).not.toContain('hunter2');
  });

  it('E14: the names of the model are read as well, those of the wire first', () => {
    const { traceId: _, utcDateTime: __, ...rest } = raw;
    expect(parseEvent({ ...rest, trace_id: 't-2', utc_datetime: '2031-03-04' })).toMatchObject({
      traceId: 't-2',
      utcDateTime: '2031-03-04',
    });
    expect(parseEvent({ ...raw, trace_id: 't-2' }).traceId).toBe('t-1');
  });

  it('E14: a null time is an absent time, not the text "None"', () => {
    expect(parseEvent({ ...raw, utcDateTime: null }).utcDateTime).toBe('');
  });

  it('E12: only non-empty texts of a list are attachments', () => {
    const attachments = (value: unknown) => factsOf(parseEvent({ ...raw, data: { attachments: value } })).attachments;
    expect(attachments(['a', '', null, 1, true, {}, ['b'], 'c'])).toEqual(['a', 'c']);
    expect(attachments('https://files.example.com/a.pdf')).toBeNull();
    expect(attachments({ 0: 'a' })).toBeNull();
  });

  it('E13: content as an object and as its text are the same event', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
        const written = JSON.stringify(data);
        expect(parseEvent({ ...raw, data: written })).toEqual(parseEvent({ ...raw, data: JSON.parse(written) as unknown }));
      }),
      { examples: [[JSON.parse('{"__proto__":[]}') as Record<string, never>]] },
    );
  });

  it('an unknown subtype is welcome', () => {
    expect(subtypeOf('verisk.claims.property.xn.somethingNew')).toBe('somethingNew');
    expect(subtypeOf('plain')).toBe('plain');
  });
});
