import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PenstockError } from '../../diagnostics/index.js';
import { openThread } from '../thread.js';
import { buffersOf } from './columns.js';
import type { ParquetEncoder } from './encoder.js';
import type { Compression } from './parquet.js';
import type { Ask } from './parquet-worker.js';

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

function threadEncoder(compression: Compression): ParquetEncoder {
  const thread = openThread<Ask>({
    file: WORKER,
    failed: (cause) => new PenstockError('PS4108', 'a Parquet file could not be written or read', { category: 'unknown', cause }),
    ended: (cause) => new PenstockError('PS4108', 'the thread that writes Parquet files stopped', { category: 'transient', cause }),
  });
  return {
    suffix: suffixOf(compression),
    encode: (batch) => thread.ask({ kind: 'encode', batch, compression }, buffersOf(batch)),
    decode: (bytes, columns) => thread.ask({ kind: 'decode', bytes, columns: columns.map(({ name, type }) => ({ name, type })) }),
    decodeCheckpoint: (bytes) => thread.ask({ kind: 'decodeCheckpoint', bytes }),
    checkpoint: (request) => thread.ask({ kind: 'checkpoint', request }),
    close: () => thread.close(),
  };
}
