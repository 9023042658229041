import type { Marked, Marks } from '../transport.js';

interface Expiry {
  readonly key: string;
  readonly at: number;
}

/** Keys of one store in memory, those that expire first leave first when there are too many. */
export class MarkBook implements Marks {
  private readonly kept = new Map<string, Marked>();
  /** A heap by expiry; entries of keys that were marked again since are stale and skipped. */
  private readonly heap: Expiry[] = [];
  private evicted = 0;

  constructor(private readonly capacity: number) {}

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

  /** The last mark of a key counts; one that has expired already forgets the key. */
  add(key: string, { expiresAt, value }: Marked, now: number): void {
    if (expiresAt <= now) {
      this.kept.delete(key);
      return;
    }
    const before = this.kept.get(key);
    this.kept.set(key, { expiresAt, value });
    if (before?.expiresAt === expiresAt) return;
    this.push({ key, at: expiresAt });
    while (this.kept.size > this.capacity || (this.heap[0] !== undefined && this.heap[0].at <= now)) this.dropFirst(now);
    // Keys that are marked again and again leave stale entries behind.
    if (this.heap.length > 2 * this.kept.size + 64) this.rebuild();
  }

  private dropFirst(now: number): void {
    const first = this.pop();
    if (first === undefined || this.kept.get(first.key)?.expiresAt !== first.at) return;
    this.kept.delete(first.key);
    if (first.at > now) this.evicted += 1;
  }

  private rebuild(): void {
    this.heap.length = 0;
    for (const [key, { expiresAt }] of this.kept) this.push({ key, at: expiresAt });
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
