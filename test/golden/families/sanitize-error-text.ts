import { expect } from 'vitest';
import { redactText } from '../../../src/observe/redact.js';
import { fields, list, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'sanitize-error-text',
  check(vector) {
    const input = fields(vector.in);
    const secrets = list(input['secrets']);
    const longest = input['max_length'] as number;
    const text = redactText(input['text'] as string, longest);
    expect([...text].length).toBeLessThanOrEqual(longest);
    for (const secret of [...secrets, ...list(fields(wanted(vector))['must_not_contain'])]) expect(text).not.toContain(secret);
    // The wording around a secret is free; without one nothing may change but the length.
    if (secrets.length === 0 && 'text' in fields(wanted(vector))) expect(text).toBe(fields(wanted(vector))['text']);
  },
};
