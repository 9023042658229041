import { describe, expect, it } from 'vitest';
import { eventFilter } from '../../plugins/event-filter.js';
import { marbles } from '../../src/testing/index.js';
import { keepsTheLaw } from './plugin-law.js';

const typed = { context: (message: unknown) => ({ event_type: message as string | null }) };
const values = { t: 'claim.test.created', r: 'claim.created', n: null, x: 'my claim.test' };

describe('event_filter', () => {
  it('filters events whose type matches from its start', () =>
    marbles(
      eventFilter({ pattern: 'claim.test' }),
      `
      in        -t-r-x-|
      out       ---r-x-|
      filtered  -t------
      `,
      { ...typed, values, reasons: { t: /^event_filter: Event type 'claim.test.created' matched filter pattern 'claim.test'$/ } },
    ));
  it('filters the others when inverted; an event without a type counts as an empty one', () =>
    marbles(eventFilter({ pattern: 'claim.test', invert: true }), { in: 'trn|', out: 't--|', filtered: '-rn' }, { ...typed, values }));
  it('is called custom_filter, with filter_pattern, in older files', () =>
    marbles(
      eventFilter({ filter_pattern: '.*test.*' }, { name: 'custom_filter' }),
      { in: 'txr|', out: '--r|', filtered: 'tx' },
      { ...typed, values },
    ));
  it('filters all without a pattern', () => marbles(eventFilter(), { in: 'tr|', out: '--|', filtered: 'tr' }, { ...typed, values }));
  it('refuses both names at once, look-around, and keys it does not know', () => {
    expect(() => eventFilter({ pattern: 'a', filter_pattern: 'b' })).toThrow('not both');
    expect(() => eventFilter({ pattern: '(?=a)' })).toThrow('look-around');
    expect(() => eventFilter({ patern: 'a' } as object)).toThrow('patern');
  });
  it('does nothing with an empty source, and ends with an error of its source', async () => {
    await marbles(eventFilter(), { in: '--|', out: '--|' });
    await marbles(eventFilter({ pattern: 'x' }), { in: 'r#', out: 'r#' }, { ...typed, values });
    await marbles(eventFilter({ pattern: 'x' }), { in: 'r--r', sub: '^-!', out: 'r' }, { ...typed, values });
  });
  it('keeps the law', () => keepsTheLaw(() => eventFilter({ pattern: '7' })));
});
