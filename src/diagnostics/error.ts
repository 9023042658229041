import type { Origin } from '../../operators/index.js';
import type { Code } from './codes.js';

/** What a failure means for its delivery: try again, try again with new credentials, give up, do not count it as an attempt, or not known. */
export type Category = 'transient' | 'auth' | 'permanent' | 'circuit_open' | 'unknown';

export const CATEGORIES: readonly Category[] = ['transient', 'auth', 'permanent', 'circuit_open', 'unknown'];

export interface ErrorDetails {
  readonly category?: Category;
  readonly cause?: unknown;
  readonly origin?: Origin | undefined;
  readonly help?: string;
  /** The HTTP status that the failure came with. */
  readonly httpStatus?: number | undefined;
  /** How long the other side asked to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** Every failure that Penstock names. The cause is kept, never replaced by its text. */
export class PenstockError extends Error {
  override readonly name = 'PenstockError';
  readonly code: Code;
  readonly category: Category;
  readonly origin: Origin | undefined;
  readonly help: string | undefined;
  readonly httpStatus: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.category = details.category ?? 'unknown';
    this.origin = details.origin;
    this.help = details.help;
    this.httpStatus = details.httpStatus;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** The category of anything thrown: its own where it is ours, else `unknown`. */
export function categoryOf(error: unknown): Category {
  return error instanceof PenstockError ? error.category : 'unknown';
}
