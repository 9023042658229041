/** A first-in, first-out queue in one array that is never moved; it doubles when it is full and clears each place it leaves. */
export class Ring<T> {
  private places: (T | undefined)[];
  private head = 0;
  private count = 0;

  constructor(capacity = 16) {
    let places = 1;
    while (places < capacity) places *= 2;
    this.places = Array.from<T | undefined>({ length: places });
  }

  get size(): number {
    return this.count;
  }

  push(item: T): void {
    if (this.count === this.places.length) this.grow();
    this.places[(this.head + this.count) & (this.places.length - 1)] = item;
    this.count += 1;
  }

  peek(): T | undefined {
    return this.places[this.head];
  }

  shift(): T | undefined {
    if (this.count === 0) return undefined;
    const item = this.places[this.head];
    this.places[this.head] = undefined;
    this.head = (this.head + 1) & (this.places.length - 1);
    this.count -= 1;
    return item;
  }

  private grow(): void {
    const larger = Array.from<T | undefined>({ length: this.places.length * 2 });
    for (let at = 0; at < this.count; at += 1) larger[at] = this.places[(this.head + at) & (this.places.length - 1)];
    this.places = larger;
    this.head = 0;
  }
}
