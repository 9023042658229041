import { expect } from 'vitest';
import { TokenBucket } from '../../../operators/token-bucket.js';
import { fields, list, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'rate-limiter',
  check(vector) {
    const input = fields(vector.in);
    const grants = list(fields(wanted(vector))['grants']).map(fields);
    const bucket = new TokenBucket({
      ratePerSecond: input['rate_per_second'] as number,
      burst: (input['burst'] as number | null) ?? undefined,
    });
    list(input['requests']).map(fields).forEach((request, index) => {
      const at = (request['at'] as number) * 1000;
      const grant = grants[index]!;
      // A limiter that is off is no limiter: whoever assembles leaves it out.
      if (input['enabled'] === false) expect(grant['granted_at']).toBe(request['at']);
      else if (grant['error'] === 'exceeds_burst') expect(() => bucket.reserve(at, request['tokens'] as number)).toThrow(RangeError);
      else expect(bucket.reserve(at, request['tokens'] as number) / 1000).toBeCloseTo(grant['granted_at'] as number, 6);
    });
  },
};
