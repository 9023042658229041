import type { ByteInput } from './byte-input.js';

/** Whole lines as they stand in the input, line ends included; only the last block may lack its last line end. */
export interface LinesBlock {
  readonly kind: 'lines';
  readonly bytes: Buffer;
}

/** A part of a line that is longer than allowed; the last part has its line end, if there is one. */
export interface LongLinePart {
  readonly kind: 'long_line';
  readonly bytes: Buffer;
  readonly last: boolean;
}

export interface LineBlocksOptions {
  /** A line without an end within so many bytes comes in parts. */
  readonly maxLine: number;
  /** Bytes asked for at once. Defaults to 1 MiB. */
  readonly size?: number;
  /** Ends the reading at once, also while nothing comes: what is not a whole line yet is left out. */
  readonly signal?: AbortSignal | undefined;
}

export const LINE_END = 10;
const MIN_READ = 64 * 1024;

/**
 * Reads in blocks of whole lines, looking for line ends in the bytes. The next block is read while the last one is
 * worked on. Blocks stay valid for as long as somebody holds them; nobody may write to them.
 */
export async function* lineBlocks(
  input: ByteInput,
  { maxLine, size = 1024 * 1024, signal }: LineBlocksOptions,
): AsyncGenerator<LinesBlock | LongLinePart> {
  const smallest = Math.max(size, MIN_READ);
  let slab = Buffer.allocUnsafeSlow(smallest);
  let start = 0;
  let end = 0;
  let long = false;
  const more = (): Promise<ReadEnd> => {
    if (slab.length - end < MIN_READ) {
      const rest = end - start;
      const next = Buffer.allocUnsafeSlow(Math.max(smallest, rest * 2));
      slab.copy(next, 0, start, end);
      slab = next;
      start = 0;
      end = rest;
    }
    return readSome(input, slab, end, signal);
  };
  let pending = more();
  for (;;) {
    const { count, error } = await pending;
    if (signal?.aborted === true) return;
    if (error !== undefined) throw error;
    if (count === 0) {
      if (long) yield { kind: 'long_line', bytes: slab.subarray(start, end), last: true };
      else if (end > start) yield { kind: 'lines', bytes: slab.subarray(start, end) };
      return;
    }
    const fresh = end;
    end += count;
    if (long) {
      const stop = slab.subarray(fresh, end).indexOf(LINE_END);
      const until = stop < 0 ? end : fresh + stop + 1;
      const part: LongLinePart = { kind: 'long_line', bytes: slab.subarray(start, until), last: stop >= 0 };
      start = until;
      long = stop < 0;
      if (long) pending = more();
      yield part;
      if (long) continue;
    }
    const stop = slab.subarray(Math.max(fresh, start), end).lastIndexOf(LINE_END);
    if (stop >= 0) {
      const until = Math.max(fresh, start) + stop + 1;
      const block: LinesBlock = { kind: 'lines', bytes: slab.subarray(start, until) };
      start = until;
      pending = more();
      yield block;
    } else if (end - start > maxLine) {
      const part: LongLinePart = { kind: 'long_line', bytes: slab.subarray(start, end), last: false };
      start = end;
      long = true;
      pending = more();
      yield part;
    } else {
      pending = more();
    }
  }
}

interface ReadEnd {
  readonly count: number;
  readonly error?: Error;
}

/** Never rejects: the answer may have to wait until the last block is worked on, and nobody listens meanwhile. */
function readSome(input: ByteInput, into: Buffer, offset: number, signal: AbortSignal | undefined): Promise<ReadEnd> {
  return new Promise((resolve) => {
    const end = (result: ReadEnd): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve(result);
    };
    const onAbort = (): void => end({ count: 0 });
    if (signal?.aborted === true) return end({ count: 0 });
    signal?.addEventListener('abort', onAbort, { once: true });
    input.read(into, offset).then(
      (count) => end({ count }),
      (error: unknown) => end({ count: 0, error: error instanceof Error ? error : new Error(String(error)) }),
    );
  });
}
