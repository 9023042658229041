import { expect, it } from 'vitest';
import { orderedWorker, simulateWorker, type SimulationError, simulatedWorker } from '../../src/testing/simulation/index.js';

const SEEDS = 3000;
const IN_ONE = 500;

/** Many messages of few keys, so that most wait for somebody. */
const CROWDED = { acrossRetries: true, keys: 2, messages: 16 };

it.each(Array.from({ length: SEEDS / IN_ONE }, (_, part) => part * IN_ONE))(
  'L1, L3, L5: the order of a key holds across retries, crashes and rebalances for 500 seeds from %i',
  async (first) => {
    let spilled = 0;
    let passed = 0;
    for (let seed = first; seed < first + IN_ONE; seed += 1) {
      const { doors, trace } = await simulateWorker({ ...CROWDED, seed, worker: orderedWorker });
      const waited = trace.split('(the one before it is retried)').length - 1;
      spilled += waited;
      passed += (doors['retried'] ?? 0) - waited;
    }
    // Some wait on the retry topic, and some that fail have nobody behind them.
    expect(spilled).toBeGreaterThan(IN_ONE / 5);
    expect(passed).toBeGreaterThan(IN_ONE / 5);
  },
);

it('L3: a worker without the order is seen to break it', async () => {
  let broken: SimulationError | undefined;
  for (let seed = 0; seed < 20 && broken === undefined; seed += 1) {
    broken = await simulateWorker({ ...CROWDED, seed, worker: simulatedWorker, tries: 50 }).then(
      () => undefined,
      (error: SimulationError) => error,
    );
  }
  expect(broken?.rule).toBe('order');
});
