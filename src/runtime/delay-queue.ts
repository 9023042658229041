/** Items that wait for their time, the earliest first; those of one time in the order in which they came. What is overdue is due. */
export class DelayQueue<T> {
  private readonly heap: { readonly item: T; readonly due: number; readonly turn: number }[] = [];
  private turns = 0;

  get size(): number {
    return this.heap.length;
  }

  /** When the first item is due; undefined when there is none. */
  get nextDue(): number | undefined {
    return this.heap[0]?.due;
  }

  push(item: T, due: number): void {
    const entry = { item, due, turn: this.turns };
    this.turns += 1;
    let at = this.heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(at, parent)) break;
      this.swap(at, parent);
      at = parent;
    }
  }

  /** Takes out everything that is due at `now`, in order. */
  popDue(now: number): readonly T[] {
    const items: T[] = [];
    while (this.heap.length > 0 && this.heap[0]!.due <= now) items.push(this.popFirst());
    return items;
  }

  /** Takes out everything, in order. */
  drain(): readonly T[] {
    return this.popDue(Number.POSITIVE_INFINITY);
  }

  private popFirst(): T {
    const [first] = this.heap;
    const last = this.heap.pop()!;
    if (this.heap.length > 0) {
      this.heap[0] = last;
      this.sink();
    }
    return first!.item;
  }

  private sink(): void {
    for (let at = 0; ; ) {
      const left = at * 2 + 1;
      if (left >= this.heap.length) return;
      const child = left + 1 < this.heap.length && this.before(left + 1, left) ? left + 1 : left;
      if (!this.before(child, at)) return;
      this.swap(at, child);
      at = child;
    }
  }

  private before(a: number, b: number): boolean {
    const first = this.heap[a]!;
    const second = this.heap[b]!;
    return first.due < second.due || (first.due === second.due && first.turn < second.turn);
  }

  private swap(a: number, b: number): void {
    const entry = this.heap[a]!;
    this.heap[a] = this.heap[b]!;
    this.heap[b] = entry;
  }
}
