import { type TransferListItem, Worker } from 'node:worker_threads';

/** A call as the thread gets it, with others of the same turn; its answer carries the same number. */
export interface ThreadRequest<A> {
  readonly id: number;
  readonly ask: A;
}

/** The thread's answer to one call; a thread may send several at once. */
export interface ThreadReply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: unknown;
}

export interface ThreadOptions {
  /** The built file that the thread runs. */
  readonly file: URL;
  /** What a call rejects with when the thread answers it with an error. */
  readonly failed: (error: unknown) => Error;
  /** What calls under way reject with when the thread ends. */
  readonly ended: (cause: unknown) => Error;
}

/** Calls into a thread of their own. */
export interface Thread<A> {
  ask<T>(request: A, transfer?: readonly ArrayBuffer[]): Promise<T>;
  /** Ends the thread; a later call starts another one. */
  close(): Promise<void>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** A thread that starts at the first call, and again at the next when it has died. Calls in flight keep the process alive, an idle thread does not. */
export function openThread<A>({ file, failed, ended }: ThreadOptions): Thread<A> {
  let worker: Worker | undefined;
  let next = 0;
  let unsent: ThreadRequest<A>[] = [];
  let moved: ArrayBuffer[] = [];
  const waiting = new Map<number, Waiting>();

  const fail = (cause: unknown): void => {
    worker = undefined;
    const reason = ended(cause);
    unsent = [];
    moved = [];
    for (const call of waiting.values()) call.reject(reason);
    waiting.clear();
  };
  const start = (): Worker => {
    const started = new Worker(file);
    started.unref();
    started.on('message', (told: ThreadReply | readonly ThreadReply[]) => {
      for (const { id, value, error } of 'id' in told ? [told] : told) {
        const call = waiting.get(id);
        waiting.delete(id);
        if (error === undefined) call?.resolve(value);
        else call?.reject(failed(error));
      }
      if (waiting.size === 0) started.unref();
    });
    started.on('error', fail);
    started.on('exit', (code) => {
      if (worker === started) fail(new Error(`it ended with code ${String(code)}`));
    });
    return started;
  };
  /** To wake a thread costs as much as some of its calls: those of one turn of the event loop wake it once. */
  const send = (): void => {
    const requests = unsent;
    const transfer = moved;
    unsent = [];
    moved = [];
    if (requests.length > 0) worker?.postMessage(requests, transfer as TransferListItem[]);
  };
  return {
    ask<T>(request: A, transfer: readonly ArrayBuffer[] = []): Promise<T> {
      worker ??= start();
      if (waiting.size === 0) worker.ref();
      next += 1;
      const id = next;
      return new Promise<T>((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        if (unsent.length === 0) setImmediate(send);
        unsent.push({ id, ask: request });
        moved.push(...transfer);
      });
    },
    async close() {
      const closing = worker;
      worker = undefined;
      await closing?.terminate();
      if (waiting.size > 0) fail(new Error('it was closed'));
    },
  };
}
