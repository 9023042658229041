import { expect, it } from 'vitest';
import { createRandom } from '../../src/simulator/random.js';
import { orderedWorker, simulateWorker, type SimulationError, simulatedWorker } from '../../src/testing/simulation/index.js';
import { MemoryTable } from '../storage/memory-table.js';
import { tableWorker } from './table-worker.js';

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

/** A table that takes its time, so that a process may crash or lose its partition meanwhile. */
function slowTable(seed: number): MemoryTable {
  const random = createRandom(`table ${seed}`);
  return new MemoryTable({ before: () => new Promise((resolve) => setTimeout(resolve, random.int(0, 6))) });
}

it.each(Array.from({ length: SEEDS / IN_ONE }, (_, part) => part * IN_ONE))(
  'L3, L6: rows of a key are written in its order across retries, crashes and rebalances, each once, for 500 seeds from %i',
  async (first) => {
    let spilled = 0;
    for (let seed = first; seed < first + IN_ONE; seed += 1) {
      const table = slowTable(seed);
      const { trace } = await simulateWorker({ ...CROWDED, seed, worker: tableWorker({ table, lanes: 'across_retries' }), tries: 0 });
      spilled += trace.split('(the one before it is retried)').length - 1;
      const came = [...trace.matchAll(/ {2}(.) comes in$/gm)].map(([, letter]) => letter!);
      for (const key of new Set(table.written.map((row) => String(row['key'])))) {
        const letters = table.written.filter((row) => row['key'] === key).map((row) => String(row['id']));
        expect(letters, `seed ${seed}, ${key}`).toEqual(letters.toSorted((a, b) => came.indexOf(a) - came.indexOf(b)));
        expect(new Set(letters).size, `seed ${seed}, ${key}`).toBe(letters.length);
      }
    }
    expect(spilled).toBeGreaterThan(IN_ONE / 5);
  },
);

it.each(['in_flight', 'none'] as const)('L3: a writer whose lanes are %s is seen to break it', async (lanes) => {
  let broken: SimulationError | undefined;
  for (let seed = 0; seed < 20 && broken === undefined; seed += 1) {
    broken = await simulateWorker({ ...CROWDED, seed, worker: tableWorker({ table: slowTable(seed), lanes }), tries: 0 }).then(
      () => undefined,
      (error: SimulationError) => error,
    );
  }
  expect(broken?.rule).toBe('order');
});
