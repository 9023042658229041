import { describe, expect, it } from 'vitest';
import { simulateWorker, SimulationError } from '../../../src/testing/simulation/index.js';
import { DEFECTS } from './defects.js';

async function broken(run: () => Promise<unknown>): Promise<SimulationError | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (error instanceof SimulationError) return error;
    throw error;
  }
}

describe('a simulated worker', () => {
  it('L1, L3, L5: keeps every rule through crashes, stalls, rebalances and a log that fails; all of that happens', async () => {
    const doors: Record<string, number> = {};
    let traces = '';
    for (let seed = 0; seed < 150; seed += 1) {
      const report = await simulateWorker(seed);
      for (const [door, count] of Object.entries(report.doors)) doors[door] = (doors[door] ?? 0) + count;
      traces += `${report.trace}\n`;
    }
    expect(Object.entries(doors).filter(([, count]) => count < 10)).toEqual([]);
    const happened = [
      'crashes',
      'drains',
      'hears nothing of the log',
      'for dead',
      'comes again',
      '(duplicate)',
      '(unwanted)',
      '(permanent)',
    ];
    expect(happened.filter((words) => traces.split(words).length < 10)).toEqual([]);
  });

  it('is the same run for the same seed, to the letter', async () => {
    for (const seed of [3, 20, 143]) {
      const { trace } = await simulateWorker(seed);
      expect(trace.split('\n').length).toBeGreaterThan(10);
      expect((await simulateWorker({ seed })).trace).toBe(trace);
    }
    expect((await simulateWorker(4)).trace).not.toBe((await simulateWorker(5)).trace);
  });

  it('leaves the process as it was', async () => {
    const before = [globalThis.setTimeout, globalThis.Date, Math.random];
    await simulateWorker(1);
    expect([globalThis.setTimeout, globalThis.Date, Math.random]).toEqual(before);
  });
});

/** Each planted defect is found within so many seeds. */
const WITHIN = 40;

describe('the rules of the simulation can break', () => {
  it.each(DEFECTS)('$name', async ({ plant, rules }) => {
    let error: SimulationError | undefined;
    for (let seed = 0; seed < WITHIN && error === undefined; seed += 1)
      error = await broken(() => simulateWorker({ ...plant(), seed, tries: 120 }));
    expect(error?.message).toContain(`seed ${error?.seed} breaks the rule`);
    expect(rules).toContain(error?.rule);
    expect(error!.scenario.messages.length).toBeLessThanOrEqual(6);
    // The drawing: what came in, in a lane.
    expect(error?.message).toMatch(/^ {2}in .*[a-z]/m);
  });
});
