import { writev } from 'node:fs';

const AGAIN_MS = 5;
const MAX_PARTS = 512;

/** Writes bytes to a file descriptor in the order given, many at once, beside the event loop. */
export interface ByteOutput {
  /** Takes the bytes; nobody may write to them afterwards. Wait for `room` now and then. */
  write(bytes: Buffer | string): void;
  /** Resolves when at most so many bytes wait; rejects when a write has failed. */
  room(bytes: number): Promise<void>;
  /** Resolves when everything is written. */
  flush(): Promise<void>;
}

export function byteOutput(fd: number): ByteOutput {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let writing = false;
  let failure: Error | undefined;
  let listeners: { readonly bytes: number; readonly done: (error?: Error) => void }[] = [];

  const tell = (): void => {
    const still = [];
    for (const listener of listeners) {
      if (failure !== undefined) listener.done(failure);
      else if (waitingBytes <= listener.bytes) listener.done();
      else still.push(listener);
    }
    listeners = still;
  };

  const send = (parts: Buffer[]): void => {
    writev(fd, parts, (error, count) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => send(parts), AGAIN_MS);
        return;
      }
      if (error !== null) {
        failure = error;
        waiting = [];
        writing = false;
        tell();
        return;
      }
      waitingBytes -= count;
      const rest = after(parts, count);
      if (rest.length > 0) send(rest);
      else {
        writing = false;
        next();
      }
      tell();
    });
  };

  const next = (): void => {
    if (writing || waiting.length === 0 || failure !== undefined) return;
    writing = true;
    const parts = waiting.length <= MAX_PARTS ? waiting : waiting.slice(0, MAX_PARTS);
    waiting = waiting.length <= MAX_PARTS ? [] : waiting.slice(MAX_PARTS);
    send(parts);
  };

  const room = (bytes: number): Promise<void> => {
    if (failure !== undefined) return Promise.reject(failure);
    if (waitingBytes <= bytes) return Promise.resolve();
    return new Promise((resolve, reject) => {
      listeners.push({ bytes, done: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  };

  return {
    write(bytes) {
      const part = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
      if (part.length === 0 || failure !== undefined) return;
      waiting.push(part);
      waitingBytes += part.length;
      next();
    },
    room,
    flush: () => room(0),
  };
}

/** What is left of the parts once so many bytes of them are written. */
function after(parts: readonly Buffer[], count: number): Buffer[] {
  let left = count;
  let index = 0;
  while (index < parts.length && left >= parts[index]!.length) {
    left -= parts[index]!.length;
    index += 1;
  }
  const rest = parts.slice(index);
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
}
