import { expect } from 'vitest';
import { redactUrl } from '../../../src/observe/redact.js';
import { fields, list, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'sanitize-url',
  check(vector) {
    const url = redactUrl(fields(vector.in)['url'] as string);
    const goal = fields(wanted(vector));
    if ('url' in goal) expect(url).toBe(goal['url']);
    for (const secret of list(goal['must_not_contain'])) expect(url).not.toContain(secret);
  },
};
