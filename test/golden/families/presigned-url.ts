import { expiresWithin, inspectPresigned } from '../../../src/http/presigned.js';
import { superset } from '../compare.js';
import { fields, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'presigned-url',
  check(vector) {
    const input = fields(vector.in);
    const now = Date.parse(input['now'] as string);
    const { seconds_remaining, ...link } = inspectPresigned(input['url'] as string, now);
    const end = link.expires_at === null ? null : new Date(link.expires_at);
    const found = {
      ...link,
      signed_at: link.signed_at === null ? null : new Date(link.signed_at),
      expires_at: end,
      expires_at_iso: end,
      ...(end === null ? {} : { seconds_remaining, expires_within_300s: expiresWithin(link, 300, now) }),
    };
    superset(found, wanted(vector));
  },
};
