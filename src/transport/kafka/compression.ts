import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import kafkajs from 'kafkajs';
import { PenstockError } from '../../diagnostics/index.js';
import type { Compression } from './settings.js';

const { CompressionCodecs, CompressionTypes } = kafkajs;

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

interface Zstd {
  init(): Promise<void>;
  compress(bytes: Uint8Array): Uint8Array;
  /** `defaultHeapSize`: the room for what does not say how long it is. */
  decompress(bytes: Uint8Array, options: { readonly defaultHeapSize: number }): Uint8Array;
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
  zstd: { name: '@bokuweb/zstd-wasm', type: CompressionTypes.ZSTD, make: (found: unknown) => zstdOf(found as Zstd) },
} as const;

const FIRST_ROOM = 4 * 1024 * 1024;
const MOST_ROOM = 256 * 1024 * 1024;
/** The library's number for a room that is too small. */
const TOO_SMALL = /\b70$/;

function zstdOf(zstd: Zstd): () => Codec {
  const ready = zstd.init();
  // Whoever packs or unpacks meets the failure; nobody may be doing so yet.
  ready.catch(() => undefined);
  const codec: Codec = {
    compress: async ({ buffer }) => {
      await ready;
      return bufferOf(zstd.compress(buffer));
    },
    decompress: async (bytes) => {
      await ready;
      // Most producers pack as a stream, which does not say how long it is.
      for (let room = FIRST_ROOM; ; room *= 4) {
        try {
          return bufferOf(zstd.decompress(bytes, { defaultHeapSize: room }));
        } catch (cause) {
          if (!TOO_SMALL.test((cause as Error).message)) throw new Error('records are not what zstd packs', { cause });
          if (room >= MOST_ROOM) throw new Error(`records packed by zstd come to more than ${MOST_ROOM} bytes in one batch`, { cause });
        }
      }
    },
  };
  return () => codec;
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** The failure of each codec that cannot be had. */
let missing: ReadonlyMap<Compression, PenstockError> | undefined;

/** Makes known what is installed, so that records packed by others can be read; what is not is refused by name when it is met. */
function registerCodecs(): ReadonlyMap<Compression, PenstockError> {
  const load = createRequire(import.meta.url);
  const failures = new Map<Compression, PenstockError>();
  for (const [compression, { name, type, make }] of Object.entries(OPTIONAL)) {
    try {
      CompressionCodecs[type] = make(loadOwn(load, name));
    } catch (cause) {
      const failure = notThere(compression as Compression, name, cause);
      failures.set(compression as Compression, failure);
      CompressionCodecs[type] = () => {
        throw failure;
      };
    }
  }
  return failures;
}

/** The client's number of a codec. Throws PS1102 when its package is not installed: better now than at the first record. */
export function compressionType(compression: Compression): number {
  missing ??= registerCodecs();
  const failure = missing.get(compression);
  if (failure !== undefined) throw failure;
  if (compression === 'none') return CompressionTypes.None;
  if (compression === 'gzip') return CompressionTypes.GZIP;
  return OPTIONAL[compression].type;
}

/** A package in an instance of our own: zstd's packs and unpacks no more when somebody else who uses it initialises the same one again. */
function loadOwn(load: NodeJS.Require, name: string): unknown {
  const folder = dirname(load.resolve(name)) + sep;
  const loaded = () => Object.entries(load.cache).filter(([file]) => file.startsWith(folder));
  const others = loaded();
  for (const [file] of others) delete load.cache[file];
  try {
    return load(name);
  } finally {
    for (const [file] of loaded()) delete load.cache[file];
    for (const [file, module] of others) load.cache[file] = module;
  }
}

function notThere(compression: Compression, name: string, cause: unknown): PenstockError {
  const absent = (cause as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND' && (cause as Error).message.includes(`'${name}'`);
  const how = absent ? 'which is not installed' : `which cannot be loaded: ${(cause as Error).message}`;
  return new PenstockError('PS1102', `compression ${compression} needs the package ${name}, ${how}`, {
    category: 'permanent',
    cause,
    help: `npm install ${name}, or use gzip`,
  });
}
