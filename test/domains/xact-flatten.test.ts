import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { ExactNumber, parseExactly, stringifyExactly } from '../../src/domains/exact-json.js';
import { flattenEvent } from '../../src/domains/xact/flatten.js';
import { downloadResult } from '../../src/domains/xact/messages.js';
import {
  attachmentRow,
  failedAttachmentRow,
  XACT_ATTACHMENTS,
  XACT_ATTACHMENTS_FAILED,
  XACT_EVENTS,
} from '../../src/domains/xact/tables.js';

const now = new Date('2031-03-04T12:00:00Z');
const raw = { type: 'a.b', version: 1, utcDateTime: '2031-03-04T05:06:07Z', traceId: 't-1', data: { assignmentId: 'DEMO-A-1' } };
const flatten = (event: unknown) => flattenEvent(event, { now });

const result = downloadResult.parse({
  trace_id: 't-1',
  media_id: 'm-1',
  attachment_url: 'https://files.example.com/a.pdf',
  blob_path: 'a/b/c.pdf',
  status_subtype: 'documentsReceived',
  file_type: 'PDF',
  assignment_id: 'DEMO-A-1',
  status: 'failed_permanent',
  created_at: '2031-03-04T05:06:07Z',
});

describe('rows', () => {
  it('have the columns of their tables, each of them and no other (D11)', () => {
    const names = (columns: readonly { readonly name: string }[]) => columns.map((column) => column.name).toSorted();
    expect(Object.keys(flatten(raw)).toSorted()).toEqual(names(XACT_EVENTS.columns));
    expect(Object.keys(attachmentRow(result, now)).toSorted()).toEqual(names(XACT_ATTACHMENTS.columns));
    expect(Object.keys(failedAttachmentRow(result, now)).toSorted()).toEqual(names(XACT_ATTACHMENTS_FAILED.columns));
  });

  it('E9: xact_events has 28 columns of the event, its event id, and two of processing', () => {
    const processing = XACT_EVENTS.columns.filter((column) => column.processingTime === true).map((column) => column.name);
    expect(processing).toEqual(['created_at', 'created_date']);
    expect(XACT_EVENTS.columns).toHaveLength(28 + 1 + 2);
    expect(XACT_EVENTS).toMatchObject({ mode: 'insert_if_absent', key: ['trace_id'], partitionBy: ['event_date'] });
  });

  it('E16: the date is that of the instant in UTC, not of the text', () => {
    expect(flatten({ ...raw, utcDateTime: '2031-01-21T23:39:36-01:00' })).toMatchObject({
      ingested_at: '2031-01-22T00:39:36Z',
      event_date: '2031-01-22',
    });
  });

  it('E4: fractions, offsets and naive times are read, microseconds are kept', () => {
    const instant = (utcDateTime: string) => flatten({ ...raw, utcDateTime })['ingested_at'];
    expect(instant('2031-03-04T05:06:07.1234567Z')).toBe('2031-03-04T05:06:07.123456Z');
    expect(instant('2031-03-04T05:06:07.5')).toBe('2031-03-04T05:06:07.500Z');
    expect(instant('')).toBeNull();
  });

  it('E4: what cannot be a row is refused by itself, with the reason', () => {
    const bad = [
      null,
      [],
      5,
      'x',
      {},
      { ...raw, traceId: ' ' },
      { ...raw, utcDateTime: '2031-13-01T00:00:00Z' },
      { ...raw, data: 'not json' },
      { ...raw, data: '5' },
    ];
    for (const event of bad) {
      expect(() => flatten(event)).toThrow(PenstockError);
      expect(() => flatten(event)).toThrow(/cannot be a row of xact_events: /);
    }
  });

  it('E13: content as an object gives the row that its text gives, and rows do not know of each other', () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 5 }), (contents) => {
        const { raw_json: _, ...alone } = flatten({ ...raw, data: {} });
        for (const content of contents) {
          const data = JSON.parse(JSON.stringify(content)) as unknown;
          const { raw_json: __, ...asObject } = flatten({ ...raw, data });
          const { raw_json: ___, ...asText } = flatten({ ...raw, data: JSON.stringify(data) });
          expect(asObject).toEqual(asText);
        }
        expect(flatten({ ...raw, data: {} })).toMatchObject(alone);
      }),
    );
  });

  it('E4: any object gives a row or a PenstockError', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('type', 'version', 'utcDateTime', 'traceId', 'eventId', 'data'), fc.jsonValue()),
        (fields) => {
          try {
            expect(typeof flatten({ ...raw, ...fields })['trace_id']).toBe('string');
          } catch (error) {
            expect(error).toBeInstanceOf(PenstockError);
          }
        },
      ),
    );
  });

  it('members that everything inherits are no content', () => {
    expect(flatten({ ...raw, data: JSON.parse('{"contact":{"__proto__":{"type":"x"}}}') as unknown })['contact_type']).toBeNull();
    expect(flatten({ ...raw, data: { contact: {} } })['contact_name']).toBeNull();
  });

  it('keep the event as it came', () => {
    const text = '{ "traceId": "t-1", "big": 12345678901234567890 }';
    expect(flattenEvent(JSON.parse(text), { now, text })['raw_json']).toBe(text);
  });

  it('keep every digit of a number in a text column, whether the content is an object or its text', () => {
    const number = '123456789012345678901234567890';
    const content = `{"claim":0.10000000000000000555,"note":${number},"carrierId":-${number}.5e+2,"estimateVersion":7.50,"adm":{"coverageLoss":{"claimNumber":"${number}"}},"author":{"n":[${number},1]}}`;
    const columns = {
      note: number,
      carrier_id: `-${number}.5e+2`,
      claim_number: number,
      author: `{"n":[${number},1]}`,
      estimate_version: '7.5',
    };
    const asObject = `{"type":"a.b","traceId":"t-1","data":${content}}`;
    expect(flattenEvent(parseExactly(asObject), { now })).toMatchObject({
      ...columns,
      raw_json: expect.stringContaining(number) as string,
    });
    expect(flattenEvent({ type: 'a.b', traceId: 't-1', data: content }, { now })).toMatchObject(columns);
  });
});

describe('exact JSON', () => {
  it('is JSON, whatever stands in it', () => {
    const marked = fc.constantFrom('\u0000#1234567890123456', '"', '\\', '12345678901234567', '\\"12345678901234567');
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(fc.oneof(fc.string(), marked)), fc.bigInt({ min: 1n }), (value, texts, number) => {
        const text = `{"v":${JSON.stringify(value)},"t":${JSON.stringify(texts)},"n":${number}00000000000000001}`;
        const parsed = parseExactly(text) as { v: unknown; t: unknown; n: unknown };
        expect(JSON.parse(JSON.stringify(parsed.t))).toEqual(texts);
        if (!texts.some((one) => one.includes('\u0000#'))) expect(parsed.n).toEqual(new ExactNumber(`${number}00000000000000001`));
        if (!texts.some((one) => one.includes('\u0000#'))) expect(JSON.parse(stringifyExactly(parsed))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses what JSON refuses', () => {
    for (const text of ['{"a":1234567890123456789', '{"a":12345678901234567890e}', '"12345678901234567', '01234567890123456789']) {
      expect(() => parseExactly(text)).toThrow(SyntaxError);
    }
  });
});
