import { createHash } from 'node:crypto';
import type { MonoTypeOperatorFunction } from 'rxjs';
import { concurrently, type Delivery, filtered, type Origin } from '../../operators/index.js';
import { PenstockError } from '../diagnostics/index.js';
import type { BlobStore } from '../storage/blob/blob-store.js';
import type { Header, LogRecord, NewRecord } from '../transport/transport.js';
import { BUILT_IN_FILTERS } from './built-in-filters.js';
import { textHeaders } from './item.js';
import { isForGroup } from './retry-policy.js';
import type { Sink } from './sink.js';

/** The header that names where a record's value lies, when it was too large to travel itself. */
export const CLAIM_CHECK_HEADER = 'claim_check';

/** Lies beside the place of a value that was removed because it was done with. */
const SPENT = '.spent';

/** The largest record that travels as it is, unless the options say otherwise: 1 MiB. */
const MAX_BYTES = 1024 * 1024;

export interface ClaimChecksOptions {
  /** Where the values lie. */
  readonly blobs: BlobStore;
  /** The largest record that travels as it is, in bytes. Defaults to 1 MiB. */
  readonly maxBytes?: number;
  /** Told of a value that could not be removed: it costs space and nothing else. Defaults to a process warning. */
  readonly onWarning?: (error: unknown) => void;
}

/** Values that are too large to travel with their records. Each belongs to one record, which one group reads. */
export interface ClaimChecks {
  /**
   * The record itself when it is small enough; else its value is stored, and a record without one names the place. A record made again of the same
   * origin finds its place again, so that what is delivered twice is stored once.
   */
  check(record: NewRecord, origin: Origin | undefined): NewRecord | Promise<NewRecord>;
  /** Rejects with a permanent `PS4101` when nothing lies there. */
  fetch(name: string): Promise<Buffer>;
  /**
   * Removes a value that is done with, and leaves a mark of that. A record may lie in the log twice, when whoever wrote it died before that was
   * known: the second finds by the mark that there is nothing left to do.
   */
  remove(name: string): void;
  /** Whether a value is not there because it is done with. */
  isSpent(name: string): Promise<boolean>;
}

export function claimChecks({ blobs, maxBytes = MAX_BYTES, onWarning = warn }: ClaimChecksOptions): ClaimChecks {
  return {
    check(record, origin) {
      if (record.value === null || sizeOf(record, maxBytes) <= maxBytes) return record;
      const bytes = Buffer.from(record.value as string);
      const name = placeOf(record.topic, bytes, origin);
      return blobs.put(name, bytes).then(() => referring(record, name));
    },
    async fetch(name) {
      const bytes = await blobs.get(name);
      if (bytes !== undefined) return bytes;
      throw new PenstockError('PS4101', `the value of the record is not at ${name}`, { category: 'permanent' });
    },
    remove(name) {
      // The mark first: whoever finds no value finds the mark.
      blobs
        .put(name + SPENT, NOTHING)
        .then(() => blobs.delete(name))
        .catch(onWarning);
    },
    isSpent: async (name) => (await blobs.head(name + SPENT)) !== undefined,
  };
}

const NOTHING = new Uint8Array(0);

function warn(error: unknown): void {
  process.emitWarning(`a claim could not be removed: ${String(error)}`);
}

/** In bytes, with key and headers; a text that is small in any encoding is not measured. */
function sizeOf({ key, value, headers = [] }: NewRecord, maxBytes: number): number {
  let size = bytesOf(key, maxBytes) + bytesOf(value, maxBytes);
  for (const [name, content] of Array.isArray(headers) ? (headers as readonly Header[]) : Object.entries(headers)) {
    size += name.length + content.length;
  }
  return size;
}

const LONGEST_CHARACTER = 3;

function bytesOf(value: Buffer | string | null, maxBytes: number): number {
  if (value === null) return 0;
  if (typeof value !== 'string') return value.length;
  return value.length * LONGEST_CHARACTER * 2 <= maxBytes ? value.length : Buffer.byteLength(value);
}

function placeOf(topic: string, bytes: Buffer, origin: Origin | undefined): string {
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  const from = origin === undefined ? 'nowhere' : `${origin.topic}/${origin.partition}-${origin.offset}`;
  return `${topic}/${from}/${digest}`;
}

function referring(record: NewRecord, name: string): NewRecord {
  const { headers = [] } = record;
  const named: readonly Header[] = Array.isArray(headers)
    ? (headers as readonly Header[])
    : Object.entries(headers as Readonly<Record<string, string>>).map(([key, text]): Header => [key, Buffer.from(text)]);
  return { ...record, value: null, headers: [...named, [CLAIM_CHECK_HEADER, Buffer.from(name)]] };
}

/** A sink for which no record is too large: the value of a large one is stored first. */
export function claimCheckSink(sink: Sink, claims: ClaimChecks): Sink {
  return (record, delivery) => {
    const checked = claims.check(record, delivery.origin);
    return checked instanceof Promise ? checked.then((small) => sink(small, delivery)) : sink(checked, delivery);
  };
}

/**
 * Puts the value back into each record that only names it, for the group that the record is for. The value is removed when the delivery has left
 * for good: whoever sent it on has stored it anew. A copy of a record whose value is done with is filtered as a duplicate.
 */
export function redeem(claims: ClaimChecks, group: string): MonoTypeOperatorFunction<Delivery<LogRecord>> {
  return concurrently<LogRecord>(() => (record, delivery) => {
    if (!record.headers.some(([name]) => name === CLAIM_CHECK_HEADER)) return delivery;
    const headers = textHeaders(record);
    const claim = headers[CLAIM_CHECK_HEADER];
    if (claim === undefined || !isForGroup(headers, group)) return delivery;
    return redeemed(claims, claim).then((value) => {
      if (value === undefined) return filtered(BUILT_IN_FILTERS.duplicate);
      delivery.whenSettled((outcome) => {
        if (outcome !== 'released') claims.remove(claim);
      });
      return delivery.with({ ...record, value, headers: record.headers.filter(([name]) => name !== CLAIM_CHECK_HEADER) });
    });
  });
}

/** The value, or nothing when it is done with. */
async function redeemed(claims: ClaimChecks, claim: string): Promise<Buffer | undefined> {
  try {
    return await claims.fetch(claim);
  } catch (error) {
    if (await claims.isSpent(claim)) return undefined;
    throw error;
  }
}

/** The value of a record, wherever it lies. */
export async function valueOf(record: Pick<LogRecord, 'headers' | 'value'>, claims: ClaimChecks): Promise<Buffer | null> {
  const claim = textHeaders(record)[CLAIM_CHECK_HEADER];
  return claim === undefined ? record.value : claims.fetch(claim);
}
