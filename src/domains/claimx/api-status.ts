import type { Category } from '../../diagnostics/index.js';

export interface ApiVerdict {
  readonly category: Category;
  readonly retryable: boolean;
}

/** What a status of the ClaimX API that is not 200 means: a 401 waits for somebody to mend the credentials, other 4xx stay what they are, all else passes. */
export function apiVerdict(status: number): ApiVerdict {
  if (status === 401) return { category: 'auth', retryable: false };
  if (status === 429 || status < 400 || status >= 500) return { category: 'transient', retryable: true };
  return { category: 'permanent', retryable: false };
}
