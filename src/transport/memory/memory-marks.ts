import type { Marks } from '../transport.js';

const DEFAULT_CAPACITY = 1_000_000;

/** Keys in memory. Those that expire first leave first when there are too many. */
export class MemoryMarks implements Marks {
  capacity = DEFAULT_CAPACITY;
  private readonly until = new Map<string, number>();
  private evicted = 0;

  has(key: string, now: number): boolean {
    return (this.until.get(key) ?? -Infinity) > now;
  }

  stats(): { readonly size: number; readonly evicted: number } {
    return { size: this.until.size, evicted: this.evicted };
  }

  add(key: string, expiresAt: number, now: number): void {
    this.until.delete(key);
    this.until.set(key, expiresAt);
    if (this.until.size <= this.capacity) return;
    for (const [old, expiry] of this.until) if (expiry <= now) this.until.delete(old);
    while (this.until.size > this.capacity) this.evict();
  }

  private evict(): void {
    let first: string | undefined;
    let soonest = Infinity;
    for (const [key, expiry] of this.until) {
      if (expiry >= soonest) continue;
      first = key;
      soonest = expiry;
    }
    this.until.delete(first!);
    this.evicted += 1;
  }
}
