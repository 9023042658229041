import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type TransferListItem, Worker } from 'node:worker_threads';
import { PenstockError } from '../../diagnostics/index.js';
import { buffersOf } from './columns.js';
import type { ParquetEncoder } from './encoder.js';
import type { Compression } from './parquet.js';
import type { Reply, Request } from './parquet-worker.js';

export interface ParquetEncoderOptions {
  /** How pages are compressed. Defaults to `zstd`. */
  readonly compression?: Compression;
  /** Where the work is done: `thread` keeps it off the event loop, `here` starts faster. Defaults to `thread` where the built file of the thread is there. */
  readonly run?: 'thread' | 'here';
}

const WORKER = new URL('./parquet-worker.js', import.meta.url);

/** An encoder on `parquet-wasm` and `apache-arrow`; both are loaded at its first use. Share one among tables, and close it after them. */
export function parquetEncoder({ compression = 'zstd', run }: ParquetEncoderOptions = {}): ParquetEncoder {
  const where = run ?? (existsSync(fileURLToPath(WORKER)) ? 'thread' : 'here');
  return where === 'thread' ? threadEncoder(compression) : hereEncoder(compression);
}

function suffixOf(compression: Compression): string {
  return `${compression}.parquet`;
}

function hereEncoder(compression: Compression): ParquetEncoder {
  const parquet = () => import('./parquet.js');
  const checkpoint = () => import('./checkpoint.js');
  return {
    suffix: suffixOf(compression),
    encode: async (batch) => (await parquet()).encodeBatch(batch, compression),
    decode: async (bytes, columns) => (await parquet()).decodeBatch(bytes, columns),
    decodeCheckpoint: async (bytes) => (await checkpoint()).decodeCheckpoint(bytes),
    checkpoint: async (request) => (await checkpoint()).writeCheckpoint(request),
    close: () => Promise.resolve(),
  };
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

function threadEncoder(compression: Compression): ParquetEncoder {
  let worker: Worker | undefined;
  let next = 0;
  const waiting = new Map<number, Waiting>();

  const fail = (error: unknown): void => {
    worker = undefined; // the next call starts another one
    const reason = new PenstockError('PS4108', 'the thread that writes Parquet files stopped', { category: 'transient', cause: error });
    for (const call of waiting.values()) call.reject(reason);
    waiting.clear();
  };
  const start = (): Worker => {
    const started = new Worker(WORKER);
    started.unref(); // calls in flight keep the process alive, an idle thread does not
    started.on('message', ({ id, value, error }: Reply) => {
      const call = waiting.get(id);
      waiting.delete(id);
      if (waiting.size === 0) started.unref();
      if (error === undefined) call?.resolve(value);
      else call?.reject(new PenstockError('PS4108', 'a Parquet file could not be written or read', { category: 'unknown', cause: error }));
    });
    started.on('error', fail);
    started.on('exit', (code) => {
      if (worker === started) fail(new Error(`it ended with code ${String(code)}`));
    });
    return started;
  };
  const ask = <T>(request: Request['ask'], transfer: readonly ArrayBuffer[] = []): Promise<T> => {
    worker ??= start();
    worker.ref();
    next += 1;
    const id = next;
    return new Promise<T>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      worker!.postMessage({ id, ask: request } satisfies Request, transfer as readonly TransferListItem[]);
    });
  };
  return {
    suffix: suffixOf(compression),
    encode: (batch) => ask({ kind: 'encode', batch, compression }, buffersOf(batch)),
    decode: (bytes, columns) => ask({ kind: 'decode', bytes, columns: columns.map(({ name, type }) => ({ name, type })) }),
    decodeCheckpoint: (bytes) => ask({ kind: 'decodeCheckpoint', bytes }),
    checkpoint: (request) => ask({ kind: 'checkpoint', request }),
    close: async () => {
      const closing = worker;
      worker = undefined;
      await closing?.terminate();
      if (waiting.size > 0) fail(new Error('it was closed'));
    },
  };
}
