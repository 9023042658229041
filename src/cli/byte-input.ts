import { fstatSync, read } from 'node:fs';
import type { Readable } from 'node:stream';

/** Where bytes come from, one read at a time. */
export interface ByteInput {
  /** Puts bytes into the buffer from the offset on and answers how many; 0 at the end. */
  read(into: Buffer, offset: number): Promise<number>;
}

const STDIN = 0;

/**
 * The bytes of a file descriptor. A file is read beside the event loop. What comes over standard input from a pipe or a terminal is waited for as a
 * stream: a thread that waits in a read for what may never come would keep the process from ending.
 */
export function byteInput(fd: number): ByteInput {
  return fd !== STDIN || fstatSync(fd).isFile() ? fileInput(fd) : streamInput(process.stdin);
}

function fileInput(fd: number): ByteInput {
  return {
    read: (into, offset) =>
      new Promise((resolve, reject) => {
        read(fd, into, offset, into.length - offset, null, (error, count) => (error === null ? resolve(count) : reject(error)));
      }),
  };
}

/** The bytes of a stream of buffers. */
export function streamInput(stream: Readable): ByteInput {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);
  return {
    async read(into, offset) {
      while (rest.length === 0) {
        const next = await chunks.next();
        if (next.done === true) return 0;
        rest = next.value;
      }
      const count = rest.copy(into, offset);
      rest = rest.subarray(count);
      return count;
    },
  };
}
