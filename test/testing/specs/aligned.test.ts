import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLane } from '../../../src/testing/lane.js';
import { alignedLanes } from '../../../src/testing/specs/index.js';

const rows = (...lanes: readonly string[]) => lanes.map((text, at) => ({ label: `l${at}`, marks: parseLane(`l${at}`, text).marks }));

describe('lanes under each other', () => {
  it('have what happens at one moment in one column', () => {
    expect(alignedLanes(rows('a-b', '-c-d|', '--e'))).toEqual(['l0  a-b', 'l1  -c-d|', 'l2  --e']);
  });

  it('write a pause that is long in all of them as a duration', () => {
    expect(alignedLanes(rows('a 99ms b', '- 89ms c'))).toEqual(
      ['l0  a 89ms ---------- b', 'l1  - 89ms c'].map((row) => row.replace('---------- b', '----------b')),
    );
  });

  it('wait for a group that needs more columns than there are milliseconds', () => {
    expect(alignedLanes(rows('(ab)', '-c-d'))).toEqual(['l0  (ab)', 'l1  -c-d']);
    const tight = [
      { label: 'x', marks: [...parseLane('x', '(ab)').marks, ...parseLane('x', '-c').marks] },
      { label: 'y', marks: parseLane('y', '-d').marks },
    ];
    expect(alignedLanes(tight)).toEqual(['x  (ab)c', 'y  -   d']);
  });

  it('say nothing where nothing happens', () => {
    expect(alignedLanes(rows('', 'a'))).toEqual(['l0', 'l1  a']);
    expect(alignedLanes([])).toEqual([]);
  });

  it('keep columns in step for any marks', () => {
    const marks = fc
      .uniqueArray(fc.integer({ min: 0, max: 90 }), { maxLength: 8 })
      .map((frames) => frames.toSorted((a, b) => a - b).map((frame) => ({ frame, kind: 'next' as const, symbol: 'x' })));
    fc.assert(
      fc.property(fc.array(marks, { minLength: 1, maxLength: 4 }), (lanes) => {
        const drawn = alignedLanes(lanes.map((own) => ({ label: '', marks: own })));
        const columns = new Map<number, number>();
        lanes.forEach((own, at) => {
          const found = [...drawn[at]!.matchAll(/x/g)].map(({ index }) => index);
          expect(found).toHaveLength(own.length);
          own.forEach(({ frame }, index) => {
            expect(columns.get(frame) ?? found[index]).toBe(found[index]);
            columns.set(frame, found[index]!);
          });
        });
        const inOrder = [...columns].toSorted(([a], [b]) => a - b).map(([, column]) => column);
        expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
      }),
    );
  });
});
