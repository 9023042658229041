import type { Mark, Marked, Marks } from '../transport.js';

const DEFAULT_CAPACITY = 1_000_000;

/** Keys in memory. Those that expire first leave first when there are too many. */
export class MemoryMarks implements Marks {
  capacity = DEFAULT_CAPACITY;
  private readonly kept = new Map<string, Marked>();
  private evicted = 0;

  has(key: string, now: number): boolean {
    return this.get(key, now) !== undefined;
  }

  get(key: string, now: number): Marked | undefined {
    const mark = this.kept.get(key);
    return mark !== undefined && mark.expiresAt > now ? mark : undefined;
  }

  stats(): { readonly size: number; readonly evicted: number } {
    return { size: this.kept.size, evicted: this.evicted };
  }

  add({ key, expiresAt, value = '' }: Mark, now: number): void {
    this.kept.delete(key);
    if (expiresAt <= now) return;
    this.kept.set(key, { expiresAt, value });
    if (this.kept.size <= this.capacity) return;
    for (const [old, mark] of this.kept) if (mark.expiresAt <= now) this.kept.delete(old);
    while (this.kept.size > this.capacity) this.evict();
  }

  private evict(): void {
    let first: string | undefined;
    let soonest = Infinity;
    for (const [key, { expiresAt }] of this.kept) {
      if (expiresAt >= soonest) continue;
      first = key;
      soonest = expiresAt;
    }
    this.kept.delete(first!);
    this.evicted += 1;
  }
}
