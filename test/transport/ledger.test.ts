import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger, type Progress } from '../../src/transport/ledger.js';
import { countIn, decodeRanges, encodeRanges, type Range } from '../../src/transport/ranges.js';

const START: Progress = { offset: 0, beyond: new Uint8Array(0) };

/** Offsets with gaps, and an order in which some of them settle. */
const runs = fc
  .tuple(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 60 }), fc.infiniteStream(fc.nat()), fc.nat({ max: 60 }))
  .map(([steps, draws, settled]) => {
    let last = -1;
    const offsets = steps.map((step) => (last += step));
    const order = [...offsets];
    for (let index = order.length - 1; index > 0; index -= 1) {
      const other = (draws.next().value as number) % (index + 1);
      [order[index], order[other]] = [order[other]!, order[index]!];
    }
    return { offsets, order: order.slice(0, settled) };
  });

describe('the ledger', () => {
  it('A2: commits only behind the contiguous prefix, whatever the order of settling', () => {
    fc.assert(
      fc.property(runs, ({ offsets, order }) => {
        const ledger = new Ledger({ capacity: 64, start: START });
        const seqs = new Map(offsets.map((offset) => [offset, ledger.open(offset)!]));
        const left = new Set<number>();
        for (const offset of order) {
          ledger.settle(seqs.get(offset)!);
          ledger.settle(seqs.get(offset)!);
          left.add(offset);
          const open = offsets.filter((each) => !left.has(each));
          expect(ledger.offset).toBe(open[0] ?? offsets.at(-1)! + 1);
          expect(ledger.inFlight).toBe(open.length);
        }
      }),
    );
  });

  it('continues after a restart with exactly what had not left', () => {
    fc.assert(
      fc.property(runs, ({ offsets, order }) => {
        const before = new Ledger({ capacity: 64, start: START });
        const seqs = new Map(offsets.map((offset) => [offset, before.open(offset)!]));
        for (const offset of order) before.settle(seqs.get(offset)!);
        const progress = before.progress();
        const after = new Ledger({ capacity: 64, start: progress });
        const again = offsets.filter((offset) => offset >= after.next && after.open(offset) !== undefined);
        expect(again).toEqual(offsets.filter((offset) => !order.includes(offset)));
        expect(after.progress()).toEqual(progress);
      }),
    );
  });

  it('keeps what left beyond the prefix while it has not come so far again', () => {
    const before = new Ledger({ capacity: 8, start: START });
    const seqs = [0, 1, 2, 3, 4].map((offset) => before.open(offset)!);
    before.settle(seqs[2]!);
    before.settle(seqs[4]!);
    const after = new Ledger({ capacity: 8, start: before.progress() });
    after.settle(after.open(0)!);
    expect(after.progress().offset).toBe(1);
    const third = new Ledger({ capacity: 8, start: after.progress() });
    expect([1, 2, 3, 4].filter((offset) => third.open(offset) !== undefined)).toEqual([1, 3]);
  });

  it('is full when the span reaches its capacity, and open again when the oldest leaves', () => {
    const ledger = new Ledger({ capacity: 4, start: START });
    const seqs = [0, 1, 2, 3].map((offset) => ledger.open(offset)!);
    for (const seq of seqs.slice(1)) ledger.settle(seq);
    expect([ledger.full, ledger.spread, ledger.inFlight]).toEqual([true, 4, 1]);
    expect(() => ledger.open(4)).toThrow('full');
    ledger.settle(seqs[0]!);
    expect([ledger.full, ledger.offset]).toEqual([false, 4]);
  });

  it('passes over what the log no longer has', () => {
    const ledger = new Ledger({ capacity: 4, start: START });
    ledger.skipTo(10);
    expect(ledger.offset).toBe(10);
    ledger.open(12);
    expect(ledger.offset).toBe(12);
    expect(() => ledger.open(12)).toThrow('behind');
  });

  it('leaves out what does not fit into a bounded note, from the end', () => {
    const ledger = new Ledger({ capacity: 64, start: START });
    const seqs = Array.from({ length: 60 }, (_, offset) => ledger.open(offset)!);
    for (const seq of seqs) if (seq % 2 === 1) ledger.settle(seq);
    const { beyond } = ledger.progress(7);
    expect(decodeRanges(beyond, 0)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
  });
});

describe('ranges of offsets', () => {
  it('come back as they were', () => {
    const ranges = fc.array(fc.tuple(fc.nat(2 ** 40), fc.integer({ min: 1, max: 2 ** 35 })), { maxLength: 20 }).map((pairs) => {
      let at = 0;
      return pairs.map(([gap, length]): Range => {
        const from = at + gap;
        at = from + length;
        return [from, at];
      });
    });
    fc.assert(
      fc.property(ranges, fc.nat(1000), (list, base) => {
        const moved = list.map(([from, to]): Range => [from + base, to + base]);
        expect(decodeRanges(encodeRanges(moved, base), base)).toEqual(moved);
        expect(countIn(encodeRanges(moved, base), base)).toBe(moved.reduce((sum, [from, to]) => sum + to - from, 0));
      }),
    );
  });

  it('a torn note is an error, not a guess', () => {
    expect(() => decodeRanges(Uint8Array.of(0x80), 0)).toThrow('ends within a number');
  });
});
