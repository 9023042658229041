import type { VirtualTime } from './virtual-time.js';

interface Waiting {
  readonly signal?: AbortSignal;
  readonly ref?: boolean;
}

function aborted(signal: AbortSignal): Error {
  return Object.assign(new Error('The operation was aborted', { cause: signal.reason }), { name: 'AbortError', code: 'ABORT_ERR' });
}

/** What `node:timers/promises` offers, by a virtual clock. */
export function timerPromises(time: VirtualTime) {
  const wait = <T>(rank: 'timer' | 'immediate', delay: number, value: T, { signal, ref = true }: Waiting = {}): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(aborted(signal));
        return;
      }
      const onAbort = (): void => {
        timer.close();
        reject(aborted(signal!));
      };
      const timer = time.timer(
        () => {
          signal?.removeEventListener('abort', onAbort);
          resolve(value);
        },
        { delay, repeats: false, rank },
      );
      if (!ref) timer.unref();
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  const setTimeout = <T>(delay?: number, value?: T, options?: Waiting): Promise<T | undefined> =>
    wait('timer', Number(delay ?? 1), value, options);
  return {
    setTimeout,
    setImmediate: <T>(value?: T, options?: Waiting): Promise<T | undefined> => wait('immediate', 0, value, options),
    async *setInterval<T>(delay?: number, value?: T, options?: Waiting): AsyncGenerator<T | undefined> {
      // Moments that pass while the consumer is busy are not lost: they come as soon as he asks, as with Node's own.
      let due = time.now;
      for (;;) {
        due += Math.max(1, Number(delay ?? 1));
        await wait('timer', Math.max(0, due - time.now), undefined, options);
        yield value;
      }
    },
    scheduler: {
      wait: (delay: number, options?: Waiting): Promise<void> => wait('timer', delay, undefined, options),
      yield: (): Promise<void> => wait('immediate', 0, undefined),
    },
  };
}
