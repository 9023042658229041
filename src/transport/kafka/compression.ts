import { createRequire } from 'node:module';
import kafkajs from 'kafkajs';
import { PenstockError } from '../../diagnostics/index.js';
import type { Compression } from './settings.js';

const { CompressionCodecs, CompressionTypes } = kafkajs;

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

/** The optional package of each codec that the client does not bring, and how a codec is made of it. */
const OPTIONAL = {
  snappy: { name: 'kafkajs-snappy', type: CompressionTypes.Snappy, make: (found: unknown) => found as () => Codec },
  lz4: {
    name: '@2l/kafkajs-lz4',
    type: CompressionTypes.LZ4,
    make: (found: unknown) => {
      const Lz4 = ((found as { readonly default?: unknown }).default ?? found) as new () => { readonly codec: () => Codec };
      return new Lz4().codec;
    },
  },
  zstd: {
    name: 'zstd-napi',
    type: CompressionTypes.ZSTD,
    make: (found: unknown) => {
      const zstd = found as { compress(bytes: Buffer): Buffer; decompress(bytes: Buffer): Buffer };
      return () => ({
        compress: (encoder: { readonly buffer: Buffer }) => Promise.resolve(zstd.compress(encoder.buffer)),
        decompress: (bytes: Buffer) => Promise.resolve(zstd.decompress(bytes)),
      });
    },
  },
} as const;

let registered = false;

/** Makes known what is installed, so that records packed by others can be read. */
function registerCodecs(): void {
  if (registered) return;
  registered = true;
  const load = createRequire(import.meta.url);
  for (const { name, type, make } of Object.values(OPTIONAL)) {
    let found: unknown;
    try {
      found = load(name);
    } catch {
      continue; // not installed
    }
    CompressionCodecs[type] = make(found);
  }
}

/** The client's number of a codec. Throws PS1102 when its package is not installed: better now than at the first record. */
export function compressionType(compression: Compression): number {
  registerCodecs();
  if (compression === 'none') return CompressionTypes.None;
  if (compression === 'gzip') return CompressionTypes.GZIP;
  const { name, type } = OPTIONAL[compression];
  try {
    (CompressionCodecs[type] as () => unknown)();
  } catch (cause) {
    throw new PenstockError('PS1102', `compression ${compression} needs the package ${name}, which is not installed`, {
      category: 'permanent',
      cause,
      help: `npm install ${name}, or use gzip`,
    });
  }
  return type;
}
