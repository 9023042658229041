import type { Marks } from '../transport.js';

interface Expiry {
  readonly key: string;
  readonly at: number;
}

/** Keys of one store in memory, those that expire first leave first when there are too many. */
export class MarkBook implements Marks {
  private readonly until = new Map<string, number>();
  /** A heap by expiry; entries of keys that were marked again since are stale and skipped. */
  private readonly heap: Expiry[] = [];
  private evicted = 0;

  constructor(private readonly capacity: number) {}

  has(key: string, now: number): boolean {
    return (this.until.get(key) ?? -Infinity) > now;
  }

  stats(): { readonly size: number; readonly evicted: number } {
    return { size: this.until.size, evicted: this.evicted };
  }

  add(key: string, expiresAt: number, now: number): void {
    if (expiresAt <= now || this.until.get(key) === expiresAt) return;
    this.until.set(key, expiresAt);
    this.push({ key, at: expiresAt });
    while (this.until.size > this.capacity || (this.heap[0] !== undefined && this.heap[0].at <= now)) this.dropFirst(now);
    // Keys that are marked again and again leave stale entries behind.
    if (this.heap.length > 2 * this.until.size + 64) this.rebuild();
  }

  private dropFirst(now: number): void {
    const first = this.pop();
    if (first === undefined || this.until.get(first.key) !== first.at) return;
    this.until.delete(first.key);
    if (first.at > now) this.evicted += 1;
  }

  private rebuild(): void {
    this.heap.length = 0;
    for (const [key, at] of this.until) this.push({ key, at });
  }

  private push(entry: Expiry): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.at <= entry.at) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  private pop(): Expiry | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child += 1;
      if (heap[child]!.at >= last.at) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
