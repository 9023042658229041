import type { Category } from './error.js';

/** Whether another attempt may be made at once: not after a permanent failure, and not while a breaker is open. */
export function isRetryable(category: Category): boolean {
  return category !== 'permanent' && category !== 'circuit_open';
}

/** Whether new credentials are to be fetched before another attempt. */
export function asksForCredentials(category: Category): boolean {
  return category === 'auth';
}

type Rule = readonly [pattern: RegExp, category: Category];

function first(rules: readonly Rule[], text: string): Category {
  return rules.find(([pattern]) => pattern.test(text))?.[1] ?? 'unknown';
}

/** Names of error classes that say what they mean. */
const BY_NAME: readonly Rule[] = [
  [/^CircuitOpenError$/, 'circuit_open'],
  [/^(?:Auth|Authentication|TokenExpired|InvalidToken|Unauthorized)Error$/, 'auth'],
  [/^(?:Permanent|Validation|NotFound|Forbidden|Configuration|Schema|KustoQuery|InvalidRequest|BadRequest)Error$/, 'permanent'],
  [/^(?:Transient|Timeout|Connection|Network|Throttling|RateLimit|ServiceUnavailable|Kusto|OneLake|DeltaTable|Storage)Error$/, 'transient'],
];

/** What the name of an error class says; `unknown` when it says nothing. */
export function categoryOfName(name: string): Category {
  return first(BY_NAME, name);
}

const BY_TEXT: readonly Rule[] = [
  [/commitfailederror|failed to commit transaction|transaction conflict|version conflict|concurrent modification/i, 'transient'],
  [/connectionerror|connection (?:refused|reset|aborted)|no route|unreachable|name resolution|dns|socket|broken pipe/i, 'transient'],
  [/timeout/i, 'transient'],
  [/\b(?:302|401)\b|unauthorized|authentication|token expired|invalid token/i, 'auth'],
  [/\b429\b|throttl|rate limit/i, 'transient'],
  [/\b50[234]\b/, 'transient'],
  [/\b403\b|forbidden|access denied/i, 'permanent'],
  [/\b404\b|not found/i, 'permanent'],
];

/** The last resort for an error that nobody typed: words of its name or its message, the first that is found. */
export function categoryOfText(name: string, message: string): Category {
  return first(BY_TEXT, `${name}: ${message}`);
}

const BY_TABLE_TEXT: readonly Rule[] = [
  [
    /schema mismatch|type mismatch|cannot cast|column.*(?:not found|does not exist)|table not found|no such file|does not exist/i,
    'permanent',
  ],
  [/primary key|foreign key|unique key|constraint|permission denied|\b403\b|invalid path|malformed|validation error/i, 'permanent'],
  [/time(?:d )?[ -]?out|deadline exceeded|connection|network|unavailable|temporar/i, 'transient'],
  [/\b429\b|throttl|too many requests|rate limit|server busy|\b50[234]\b|internal error|lock|conflict|concurrent/i, 'transient'],
];

/** What the message of a foreign table writer says about a failed write. */
export function categoryOfTableText(message: string): Category {
  return first(BY_TABLE_TEXT, message);
}
