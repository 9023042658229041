import { expect } from 'vitest';
import { compileConditions } from '../../../src/plugin/conditions.js';
import { type Family, fields, wanted } from '../family.js';
import { contextOfVector } from '../plugin-vector.js';

export const family: Family = {
  name: 'plugin-conditions',
  check(vector) {
    const { conditions, context } = fields(vector.in);
    const { load_error, decision } = fields(wanted(vector));
    const faults: string[] = [];
    const decide = compileConditions(conditions, ({ message }) => faults.push(message));
    expect(faults.length > 0, faults.join('; ')).toBe(load_error);
    expect(decide === undefined).toBe(load_error);
    if (decide !== undefined) expect(decide(contextOfVector(context))).toBe(decision);
  },
};
