import { expect } from 'vitest';
import { categoryOfName } from '../../../src/diagnostics/index.js';
import { backoffMs, mayRetry, serverRetryAfterMs } from '../../../operators/backoff.js';
import { fields, wanted, type Family } from '../family.js';

export const family: Family = {
  name: 'backoff',
  check(vector) {
    const input = fields(vector.in);
    const goal = fields(wanted(vector));
    const number = (name: string) => input[name] as number;
    if (input['kind'] === 'equal_jitter') {
      const options = {
        attempt: number('attempt'),
        baseMs: number('base_seconds') * 1000,
        capMs: number('max_seconds') * 1000,
        ...('factor' in input ? { factor: number('factor') } : {}),
      };
      expect(backoffMs({ ...options, random: () => 0 })).toBeCloseTo((goal['min_seconds'] as number) * 1000, 6);
      expect(backoffMs({ ...options, random: () => 1 })).toBeCloseTo((goal['max_seconds'] as number) * 1000, 6);
    } else if (input['kind'] === 'server_retry_after') {
      const asked = (input['retry_after'] ?? input['retry_after_seconds']) as number;
      const wait = serverRetryAfterMs({ retryAfterMs: asked * 1000, capMs: number('max_seconds') * 1000 });
      expect(wait).toBeCloseTo((goal['seconds'] as number) * 1000, 6);
    } else if (input['kind'] === 'in_process_should_retry') {
      const category = categoryOfName(input['error'] as string);
      expect(mayRetry({ attempt: number('attempt'), maxAttempts: number('max_attempts'), category })).toBe(goal['retry']);
    } else throw new Error(`no backoff of kind ${String(input['kind'])}`);
  },
};
