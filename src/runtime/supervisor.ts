import { defer, EMPTY, type Observable, retry, timer } from 'rxjs';

export interface SuperviseOptions {
  /** No restart after this. */
  readonly signal: AbortSignal;
  /** Told of each end by error, its number in a row, and the pause before the next start, in milliseconds. */
  readonly onRestart: (error: unknown, failures: number, pauseMs: number) => void;
  /** The first pause, and the longest, in milliseconds. Default to 1 000 and 30 000; each is twice the one before. */
  readonly baseMs?: number;
  readonly capMs?: number;
  /** A worker that ran so long counts its failures anew, in milliseconds. Defaults to 60 000. */
  readonly steadyMs?: number;
}

/**
 * Starts a worker, and starts it again when its stream ends by an error: only a source, the log or the configuration can end it so, since what is wrong
 * with a delivery leaves with the delivery. What was in flight was released and comes again.
 */
export function supervise<T>(
  start: () => Observable<T>,
  { signal, onRestart, baseMs = 1000, capMs = 30_000, steadyMs = 60_000 }: SuperviseOptions,
): Observable<T> {
  let failures = 0;
  let startedAt = 0;
  return defer(() => {
    startedAt = Date.now();
    return signal.aborted ? EMPTY : start();
  }).pipe(
    retry({
      delay: (error: unknown) => {
        failures = Date.now() - startedAt >= steadyMs ? 1 : failures + 1;
        const pauseMs = Math.min(capMs, baseMs * 2 ** (failures - 1));
        onRestart(error, failures, pauseMs);
        return timer(pauseMs);
      },
    }),
  );
}
