import { expect } from 'vitest';
import { flattenEvent } from '../../../src/domains/xact/flatten.js';
import { same, withoutNulls } from '../compare.js';
import { fields, wanted, type Family } from '../family.js';

/** `data` as an object and as its text are one. */
function withDataRead(value: unknown): unknown {
  const row = { ...fields(value) };
  if (typeof row['data'] === 'string') {
    try {
      row['data'] = JSON.parse(row['data']) as unknown;
    } catch {
      return row; // stays the text that it is
    }
  }
  return row;
}

/** Holds when the row is what is wanted of the raw event; columns of processing time are not compared. */
export function sameRow(raw: unknown, goal: unknown): void {
  const { created_at: _at, created_date: _date, raw_json, ...row } = flattenEvent(raw, { now: new Date() });
  const { raw_json_is_input, raw_json_parsed, ...columns } = fields(goal);
  same(withoutNulls(row), withoutNulls(columns));
  const written = withDataRead(JSON.parse(raw_json as string));
  if (raw_json_is_input === true) expect(written).toEqual(withDataRead(raw));
  else if (raw_json_parsed !== undefined) expect(written).toEqual(withDataRead(raw_json_parsed));
}

export const family: Family = {
  name: 'xact-flatten',
  check(vector) {
    const goal = fields(wanted(vector));
    const raw = fields(vector.in)['row'];
    if (goal['error'] === true) expect(() => flattenEvent(raw, { now: new Date() })).toThrow();
    else sameRow(raw, goal['row']);
  },
};
