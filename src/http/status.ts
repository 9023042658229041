import type { Category } from '../diagnostics/index.js';

/** What an HTTP status that is no success means for another attempt. */
export function categoryOfStatus(status: number): Category {
  if (status === 302 || status === 401) return 'auth';
  if (status === 429 || status >= 500) return 'transient';
  if (status >= 400) return 'permanent';
  return 'unknown';
}

/** The wait that a `Retry-After` header asks for, in milliseconds: its form is seconds or a date (RFC 9110 §10.2.3). Undefined when it says nothing usable. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
