import type { Fields, Logger } from './logger.js';

export interface BoundedLogOptions {
  /** Lines of one key that may be written in a second. Defaults to 5. */
  readonly perSecond?: number;
  /** Lines of one key that may be written at once. Defaults to 10. */
  readonly burst?: number;
  /** The most keys that are kept; the oldest leave first. Defaults to 1000. */
  readonly maxKeys?: number;
  /** Reads the time, in milliseconds. */
  readonly now?: () => number;
  /** Hears of every line that was held back. */
  readonly onSuppressed?: () => void;
}

/** Writes lines about messages at a bounded rate. */
export interface BoundedLog {
  /** Writes the line unless its key has used up its rate; the next one that is written says how many were held back, as `suppressed`. */
  write(level: 'debug' | 'info' | 'warn' | 'error', key: string, sentence: string, fields?: Fields): void;
}

interface Bucket {
  tokens: number;
  filledAt: number;
  suppressed: number;
}

export function boundedLog(logger: Logger, options: BoundedLogOptions = {}): BoundedLog {
  const { perSecond = 5, burst = 10, maxKeys = 1000, now = () => performance.now(), onSuppressed } = options;
  const buckets = new Map<string, Bucket>();

  const bucketOf = (key: string): Bucket => {
    const known = buckets.get(key);
    if (known !== undefined) return known;
    if (buckets.size >= maxKeys) for (const oldest of buckets.keys()) return replace(oldest, key);
    return make(key);
  };
  const make = (key: string): Bucket => {
    const bucket = { tokens: burst, filledAt: now(), suppressed: 0 };
    buckets.set(key, bucket);
    return bucket;
  };
  const replace = (oldest: string, key: string): Bucket => {
    buckets.delete(oldest);
    return make(key);
  };

  return {
    write(level, key, sentence, fields) {
      const bucket = bucketOf(key);
      const time = now();
      bucket.tokens = Math.min(burst, bucket.tokens + ((time - bucket.filledAt) / 1000) * perSecond);
      bucket.filledAt = time;
      if (bucket.tokens < 1) {
        bucket.suppressed += 1;
        onSuppressed?.();
        return;
      }
      bucket.tokens -= 1;
      const { suppressed } = bucket;
      bucket.suppressed = 0;
      logger[level](sentence, suppressed === 0 ? fields : { ...fields, suppressed });
    },
  };
}
