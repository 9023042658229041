import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** How often each file was asked for by clients that do not say which attempt it is. */
export interface Attempts {
  /** Counts one more, and answers how many there were before. */
  next(token: string): number;
}

/** Keeps the count in a file, a line an attempt, so that a restarted server goes on where it was. */
export function keepAttempts(path: string): Attempts {
  const counts = new Map<string, number>();
  const count = (token: string) => {
    const before = counts.get(token) ?? 0;
    counts.set(token, before + 1);
    return before;
  };
  for (const line of written(path)) count(line);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return {
    next: (token) => {
      // Written before it is told: a count that was acted on is never forgotten.
      appendFileSync(path, `${encodeURIComponent(token)}\n`, { mode: 0o600 });
      return count(encodeURIComponent(token));
    },
  };
}

/** The whole lines of the file; a last one without its end was never told. */
function written(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
