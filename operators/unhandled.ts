import { asyncScheduler, config } from 'rxjs';

/** Reports an error that a listener threw and nobody can be asked about, as RxJS does: to `config.onUnhandledError`, else as an uncaught exception. */
export function reportUnhandled(error: unknown): void {
  asyncScheduler.schedule(() => {
    if (config.onUnhandledError) config.onUnhandledError(error);
    else throw error;
  });
}
