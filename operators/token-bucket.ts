export interface TokenBucketOptions {
  readonly ratePerSecond: number;
  /** The most tokens the bucket holds; it is full at the beginning. Defaults to `ratePerSecond`. */
  readonly burst?: number | undefined;
}

/** A token bucket that promises places: whoever asks is told when his turn is, first come, first served, so nobody waits inside a lock (B13). */
export class TokenBucket {
  private readonly perMs: number;
  private readonly burst: number;
  private tokens: number;
  /** Up to when the tokens are counted; later than now while grants lie ahead. */
  private countedAt: number | undefined;

  constructor({ ratePerSecond, burst = ratePerSecond }: TokenBucketOptions) {
    if (!(ratePerSecond > 0)) throw new RangeError(`a rate is more than 0 a second, found ${ratePerSecond}`);
    this.perMs = ratePerSecond / 1000;
    this.burst = burst;
    this.tokens = burst;
  }

  /**
   * Takes tokens and answers when they are there, in milliseconds of the same clock: `now`, or later.
   *
   * @throws RangeError when the bucket can never hold so many.
   */
  reserve(now: number, tokens = 1): number {
    if (tokens > this.burst) throw new RangeError(`a bucket of ${this.burst} tokens never holds ${tokens}`);
    const from = Math.max(now, this.countedAt ?? now);
    const available = Math.min(this.burst, this.tokens + (from - (this.countedAt ?? from)) * this.perMs);
    if (available >= tokens - TOLERANCE) {
      this.tokens = Math.max(0, available - tokens);
      this.countedAt = from;
      return from;
    }
    this.tokens = 0;
    this.countedAt = from + (tokens - available) / this.perMs;
    return this.countedAt;
  }
}

/** Sums of fractions are not exact: a token that lacks so little is there. */
const TOLERANCE = 1e-9;
