import { expect } from 'vitest';
import { validateUrl } from '../../../src/http/url-policy.js';
import { fields, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'url-validation',
  check(vector) {
    const input = fields(vector.in);
    const verdict = validateUrl(input['url'] as string, {
      allowedHosts: (input['allowed_domains'] as readonly string[] | null) ?? undefined,
      allowLocalhost: input['allow_localhost'] as boolean,
      environment: input['env'] as Readonly<Record<string, string>>,
    });
    // The decision binds; the reason may differ where two apply or where parsers of URLs differ.
    expect(verdict.accepted, JSON.stringify(verdict)).toBe(fields(wanted(vector))['accepted']);
  },
};
