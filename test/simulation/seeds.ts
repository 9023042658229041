import { expect, it } from 'vitest';
import { simulateWorker } from '../../src/testing/simulation/index.js';

const IN_ONE = 500;

/** A test for each five hundred seeds. A rule that breaks fails it with the seed and the smallest run found. */
export function everyRuleHolds(from: number, to: number): void {
  it.each(Array.from({ length: (to - from) / IN_ONE }, (_, part) => from + part * IN_ONE))(
    'L1, L3, L5: every rule holds for 500 seeds from %i',
    async (first) => {
      let left = 0;
      for (let seed = first; seed < first + IN_ONE; seed += 1) {
        const { doors } = await simulateWorker(seed);
        for (const count of Object.values(doors)) left += count;
      }
      expect(left).toBeGreaterThan(IN_ONE);
    },
  );
}
