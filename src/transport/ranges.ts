/** Offsets from the first (inclusive) to the last (exclusive). */
export type Range = readonly [from: number, to: number];

const NOTHING = new Uint8Array(0);

/** Ascending, disjoint ranges at or above `base`, as pairs of varints (distance from the last end, length); ranges that do not fit into `maxBytes` are left out from the end. */
export function encodeRanges(ranges: Iterable<Range>, base: number, maxBytes = Infinity): Uint8Array {
  const bytes: number[] = [];
  let last = base;
  for (const [from, to] of ranges) {
    const before = bytes.length;
    writeVarint(bytes, from - last);
    writeVarint(bytes, to - from);
    if (bytes.length > maxBytes) {
      bytes.length = before;
      break;
    }
    last = to;
  }
  return bytes.length === 0 ? NOTHING : Uint8Array.from(bytes);
}

/** The ranges that `encodeRanges` wrote for the same base. */
export function decodeRanges(bytes: Uint8Array, base: number): Range[] {
  const ranges: Range[] = [];
  let last = base;
  let at = 0;
  const read = (): number => {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined) throw new RangeError(`progress ends within a number, at byte ${at}`);
      at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  };
  while (at < bytes.length) {
    const from = last + read();
    last = from + read();
    ranges.push([from, last]);
  }
  return ranges;
}

/** How many offsets the ranges hold. */
export function countIn(bytes: Uint8Array, base: number): number {
  return decodeRanges(bytes, base).reduce((sum, [from, to]) => sum + to - from, 0);
}

function writeVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}
