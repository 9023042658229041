import { expect, it } from 'vitest';
import { simulatedWorker, simulateWorker, type SimulatedWorker } from '../../src/testing/simulation/index.js';
import { blocksOf } from './blocks.js';

it('what the page on testing shows of a run that breaks a rule is what is told of it', async () => {
  const forgetful: SimulatedWorker = (parts) => {
    const delivered = new Set<string>();
    return simulatedWorker({
      ...parts,
      seen: { has: (id) => delivered.has(id), get: () => undefined, stats: () => ({ size: delivered.size, evicted: 0 }) },
      handle: async (item) => {
        await parts.handle(item);
        delivered.add(item.message.trace_id);
      },
    });
  };
  const told = await simulateWorker({ seed: 7, worker: forgetful }).then(
    () => 'nothing broke',
    (error: unknown) => String(error),
  );
  const shown = blocksOf('docs/testing.md').filter(({ language, text }) => language === '' && text.startsWith('SimulationError'));
  expect(shown.map(({ text }) => text)).toEqual([`${told}\n`]);
});
