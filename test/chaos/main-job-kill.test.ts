import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { simulate } from '../../src/simulator/index.js';
import { type Command, lastLine, start, unbalanced } from '../e2e/support/command.js';
import { type Holdings, holdingsOf, lastingOf, reconcile } from '../e2e/support/reconcile.js';
import { Workspace } from '../e2e/support/workspace.js';
import { createRandom } from '../../src/simulator/random.js';

const RUNS = Number(process.env['PENSTOCK_RUNS'] ?? 20);
const KILLS = Number(process.env['PENSTOCK_KILLS'] ?? 200) / RUNS;
const EVENTS = 250;
/** Name it to have the same events and moments again. */
const SEED = process.env['PENSTOCK_SEED'] ?? String(Date.now() % 1_000_000);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Kills at a random moment: sometimes while it starts, mostly while it works. Answers whether there was somebody to kill. */
async function killSometime(command: Command, random: ReturnType<typeof createRandom>): Promise<boolean> {
  const early = random.chance(0.2);
  const wait = random.int(0, early ? 900 : 1500);
  if (!early) await Promise.race([command.says(/penstock/), command.ended()]).catch(() => undefined);
  await Promise.race([pause(wait), command.ended()]);
  return (await command.kill()).signal === 'SIGKILL';
}

describe(`L1, L6: the main job under kill -9, seed ${SEED}`, () => {
  const random = createRandom(`kills ${SEED}`);
  let folder: string;
  let kills = 0;

  beforeAll(async () => {
    console.log(`PENSTOCK_SEED=${SEED}`);
    folder = await mkdtemp(join(tmpdir(), 'penstock-kills-'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    console.log(`${kills} processes were killed`);
  });

  it('one process, killed and started again', async () => {
    const lines = [...simulate({ seed: SEED, events: EVENTS })];
    const dev = (data: string): Command =>
      start(['dev', '--events', `${EVENTS}`, '--seed', SEED, '--json', '--data', join(folder, data)], { cwd: folder });
    const toTheEnd = async (data: string): Promise<Holdings> => {
      const ended = await dev(data).ended();
      expect(ended.code, ended.stderr).toBe(0);
      expect(unbalanced(lastLine(ended))).toEqual([]);
      return holdingsOf(join(folder, data));
    };
    const undisturbed = lastingOf(await toTheEnd('undisturbed'));
    for (let run = 0; run < RUNS / 2; run += 1) {
      const data = `run-${run}`;
      for (let killed = 0; killed < KILLS; ) if (await killSometime(dev(data), random)) killed += 1;
      kills += KILLS;
      const holdings = await toTheEnd(data);
      expect(reconcile(holdings, { lines }), `run ${run}`).toEqual([]);
      expect(lastingOf(holdings), `run ${run}`).toEqual(undisturbed);
      await rm(join(folder, data), { recursive: true });
    }
  });

  it('several processes that share the data directory, each of them killed in its turn', async () => {
    const place = await Workspace.open({ seed: Number(SEED) || 1 });
    try {
      const lines = place.lines(EVENTS);
      await place.ingest(lines, join(folder, 'reference'));
      await place.untilIdle([], join(folder, 'reference'));
      const undisturbed = lastingOf(await holdingsOf(join(folder, 'reference')));
      for (let run = 0; run < RUNS / 2; run += 1) {
        const data = join(folder, `shared-${run}`);
        await place.ingest(lines, data);
        const workers = (index: number): readonly string[] =>
          index < 2 ? [] : ['--worker', 'xact-download', '--worker', 'xact-result-processor', '--worker', 'xact-delta-events'];
        const begin = (index: number): Command => place.start(['run', ...workers(index)], { data });
        const crew = [0, 1, 2].map(begin);
        for (let killed = 0; killed < KILLS; killed += 1) {
          const victim = random.int(0, crew.length - 1);
          expect(await killSometime(crew[victim]!, random), crew[victim]!.stderr).toBe(true);
          crew[victim] = begin(victim);
        }
        kills += KILLS;
        await Promise.all(crew.map((command) => command.kill()));
        expect(unbalanced(await place.untilIdle([], data))).toEqual([]);
        const holdings = await holdingsOf(data);
        expect(reconcile(holdings, { lines }), `run ${run}`).toEqual([]);
        expect(lastingOf(holdings), `run ${run}`).toEqual(undisturbed);
        await rm(data, { recursive: true });
      }
    } finally {
      await place.close();
    }
  });
});
