import { expect } from 'vitest';
import { PenstockError } from '../../../src/diagnostics/index.js';
import { flattenEvent } from '../../../src/domains/xact/flatten.js';
import { fields, list, wanted, type Family } from '../family.js';
import { sameRow } from './xact-flatten.js';

export const family: Family = {
  name: 'xact-flatten-batch',
  check(vector) {
    const goal = fields(wanted(vector));
    const raws = list(fields(vector.in)['rows']);
    const suspect = goal['suspect_row_index'];
    const rows = list(goal['rows'] ?? goal['rows_without_suspect']);
    const good = raws.filter((_, index) => index !== suspect);
    expect(good).toHaveLength(rows.length);
    good.forEach((raw, index) => sameRow(raw, rows[index]));
    if (typeof suspect !== 'number') return;
    try {
      flattenEvent(raws[suspect], { now: new Date() });
    } catch (error) {
      expect(error).toBeInstanceOf(PenstockError);
    }
  },
};
