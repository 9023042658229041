import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatInstant, parseInstant, toUtc } from '../../src/runtime/instant.js';

describe('instants', () => {
  it('E4: are read with and without offset, seconds and fraction', () => {
    expect(toUtc('2031-03-04T05:06:07Z')).toBe('2031-03-04T05:06:07Z');
    expect(toUtc('2031-03-04 05:06')).toBe('2031-03-04T05:06:00Z');
    expect(toUtc('2031-03-04')).toBe('2031-03-04T00:00:00Z');
    expect(toUtc('2031-03-04T05:06:07.1')).toBe('2031-03-04T05:06:07.100Z');
    expect(toUtc('2031-03-04T05:06:07.1234567+01:30')).toBe('2031-03-04T03:36:07.123456Z');
    expect(toUtc('2031-03-04T05:06:07-0700')).toBe('2031-03-04T12:06:07Z');
    expect(toUtc('9998-12-31T23:59:59.123456Z')).toBe('9998-12-31T23:59:59.123Z');
    expect(toUtc('1969-12-31T23:59:59.5Z')).toBe('1969-12-31T23:59:59.500Z');
  });

  it('E4: what does not exist is none', () => {
    const none = [
      '',
      '   ',
      'not-a-date',
      '2031-13-01T00:00:00Z',
      '2031-02-30',
      '2031-03-04T24:00:00Z',
      '2031-03-04T05:06:60Z',
      '0000-01-01',
      '1930391999',
    ];
    for (const text of [...none, '2031-03-04T', '2031-03-04T05', '9999-12-31T23:59:59-01:00', '2031-03-04T05:06:07+25:00']) {
      expect(parseInstant(text), text).toBeUndefined();
    }
  });

  it('every date is read back as it was written', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true }),
        fc.nat(999),
        (date, micros) => {
          const instant = date.getTime() * 1000 + micros;
          fc.pre(Number.isSafeInteger(instant));
          expect(parseInstant(formatInstant(instant))).toBe(instant);
        },
      ),
    );
  });

  it('any text gives an instant or none', () => {
    fc.assert(fc.property(fc.string(), (text) => ['number', 'undefined'].includes(typeof parseInstant(text))));
  });
});
