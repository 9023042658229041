export interface BackoffOptions {
  /** Failed attempts so far, less one: the pause after the first failure is that of attempt 0. */
  readonly attempt: number;
  readonly baseMs: number;
  /** No pause is longer. */
  readonly capMs: number;
  /** By what each pause grows. Defaults to 2. */
  readonly factor?: number;
  /** A number from 0 up to 1. Defaults to `Math.random`. */
  readonly random?: () => number;
}

/** The pause before the next attempt, in milliseconds: half of it grows, half of it is drawn ("equal jitter"), and the cap comes last. */
export function backoffMs({ attempt, baseMs, capMs, factor = 2, random = Math.random }: BackoffOptions): number {
  const full = baseMs * factor ** attempt;
  return Math.min(capMs, full / 2 + (random() * full) / 2);
}

/** The pause a server asked for, in milliseconds: it stands for the computed one, and has the same cap. */
export function serverRetryAfterMs({ retryAfterMs, capMs }: { readonly retryAfterMs: number; readonly capMs: number }): number {
  return Math.min(capMs, Math.max(0, retryAfterMs));
}

/** Whether one more attempt is worth it: never after a permanent failure, never more than `maxAttempts` in all. */
export function mayRetry({
  attempt,
  maxAttempts,
  category,
}: {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly category: string;
}): boolean {
  return category !== 'permanent' && attempt + 1 < maxAttempts;
}
