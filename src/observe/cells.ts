/** A number that somebody else reads on scrape: counting costs one addition. */
export class Cell {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }
}

/** Observations in buckets, read on scrape. */
export class Distribution {
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  /** `bounds` are the buckets' upper bounds, ascending. */
  constructor(readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    this.sum += value;
    this.count += 1;
    for (let index = 0; index < this.bounds.length; index += 1) {
      if (value <= this.bounds[index]!) {
        this.counts[index]! += 1;
        return;
      }
    }
  }
}
