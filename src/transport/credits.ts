export interface CreditLimits {
  readonly count: number;
  readonly bytes: number;
}

/**
 * The right to have deliveries in flight, by count and by bytes. Once one was refused, credit opens again only when a quarter is free: a source
 * that is stopped and started for every message starves. `reopen` ends that wait early, so that a few slow deliveries cannot hold the rest for ever.
 */
export class Credits {
  private refused = false;
  private taken = 0;
  private takenBytes = 0;

  constructor(private readonly limits: CreditLimits) {}

  get inFlight(): number {
    return this.taken;
  }

  get inFlightBytes(): number {
    return this.takenBytes;
  }

  get exhausted(): boolean {
    return this.refused;
  }

  /** Takes one credit, or refuses. One delivery is always let through when nothing is in flight, however large it is. */
  take(bytes: number): boolean {
    if (this.taken > 0) {
      if (this.refused) return false;
      if (this.taken >= this.limits.count || this.takenBytes + bytes > this.limits.bytes) {
        this.refused = true;
        return false;
      }
    }
    this.refused = false;
    this.taken += 1;
    this.takenBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.taken -= 1;
    this.takenBytes -= bytes;
    if (this.refused && this.taken <= this.limits.count * 0.75 && this.takenBytes <= this.limits.bytes * 0.75) this.refused = false;
  }

  reopen(): void {
    this.refused = false;
  }
}
