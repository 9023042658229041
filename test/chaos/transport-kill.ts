import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openEmbedded } from '../../src/transport/embedded/index.js';
import type { Transport } from '../../src/transport/transport.js';
import { until } from '../transport/collector.js';
import { bundle } from './bundle.js';

/** A child process and what it has said so far, by the first letter of its lines. */
class Child {
  readonly said: Record<string, string[]> = { a: [], d: [], s: [], f: [] };
  private ready = false;
  private readonly ended: Promise<unknown>;

  constructor(readonly process: ChildProcess) {
    const lines = createInterface({ input: process.stdout! });
    lines.on('line', (line) => {
      if (line === 'ready') this.ready = true;
      else this.said[line[0]!]!.push(line.slice(2));
    });
    this.ended = Promise.all([once(lines, 'close'), once(process, 'exit')]);
  }

  isReady(): Promise<void> {
    return until('the child', () => this.ready);
  }

  /** Kills at once, and reads to the end what it had said. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

/** Whether a test may lift a limit that a running process is under. */
const canLift = spawnSync('prlimit', ['--version']).status === 0;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What a process that dies may not take with it; each test kills `kills` times. */
export function killTests(kills: number): void {
  describe('the embedded log under kill -9', () => {
    let program: string;
    let directory: string;
    const children: Child[] = [];

    beforeAll(async () => {
      program = await bundle('transport-child');
    }, 60_000);

    afterAll(() => rm(dirname(program), { recursive: true, force: true }));

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'penstock-kill-'));
    });

    afterEach(async () => {
      for (const child of children.splice(0)) await child.kill();
      await rm(directory, { recursive: true, force: true });
    });

    function start(mode: string, name: string, limitBlocks?: number): Child {
      const args = [program, directory, mode, name];
      const stdio = ['ignore', 'pipe', 'ignore'] as const;
      const limited = `ulimit -S -f ${limitBlocks} && exec "$0" "$@"`;
      const process_ =
        limitBlocks === undefined
          ? spawn(process.execPath, args, { stdio: [...stdio] })
          : spawn('bash', ['-c', limited, process.execPath, ...args], { stdio: [...stdio] });
      const child = new Child(process_);
      children.push(child);
      return child;
    }

    async function withLog<T>(use: (transport: Transport) => Promise<T>): Promise<T> {
      const transport = await openEmbedded({ directory });
      try {
        return await use(transport);
      } finally {
        await transport.close();
      }
    }

    async function valuesOf(transport: Transport, topic: string): Promise<string[]> {
      const values: string[] = [];
      for (const { partition, start: first } of await transport.offsets(topic)) {
        let next = first;
        for await (const record of transport.read(topic, partition)) {
          expect(record.offset).toBe(next);
          next += 1;
          values.push(record.value!.toString().replace(/\.+$/, ''));
        }
      }
      return values;
    }

    it('L1: nothing that was acknowledged is lost, and nothing is half there', async () => {
      await withLog((transport) => transport.ensureTopics([{ name: 'in', partitions: 4 }]));
      const acknowledged = new Set<string>();
      for (let round = 0; round < kills; round += 1) {
        const child = start('produce', `p${round}`);
        await child.isReady();
        await until('the first acknowledgement', () => child.said['a']!.length > 0);
        await pause(20 + Math.random() * 150);
        await child.kill();
        for (const value of child.said['a']!) acknowledged.add(value);
        await withLog(async (transport) => {
          const values = await valuesOf(transport, 'in');
          expect(new Set(values).size).toBe(values.length);
          const there = new Set(values);
          expect([...acknowledged].filter((value) => !there.has(value))).toEqual([]);
        });
      }
      expect(acknowledged.size).toBeGreaterThan(kills * 10);
    });

    it('L1, L5: processes share a group while they are killed: what was settled is not done again, what was not, is', async () => {
      const total = 600 * kills;
      await withLog(async (transport) => {
        await transport.ensureTopics(['in', 'out'].map((name) => ({ name, partitions: 6 })));
        const records = Array.from({ length: total }, (_, index) => ({ topic: 'in', key: `${index}`, value: `${index}` }));
        await transport.produce(records);
      });
      const settled = new Set<string>();
      const later: { readonly child: Child; readonly known: ReadonlySet<string> }[] = [];
      let unsettled = 0;
      let pair = [start('work', 'w0'), start('work', 'w1')];
      for (let round = 0; round < kills; round += 1) {
        await until('some work', () => pair.some((child) => child.said['s']!.length > 100));
        await pause(Math.random() * 60);
        const [victim, other] = [pair[round % 2]!, pair[(round + 1) % 2]!];
        await victim.kill();
        for (const value of victim.said['s']!) settled.add(value);
        unsettled += victim.said['d']!.filter((value) => !victim.said['s']!.includes(value)).length;
        // Started after the death: whatever the dead had settled must not come to this one.
        const next = start('work', `w${round + 2}`);
        later.push({ child: next, known: new Set(settled) });
        pair = round % 2 === 0 ? [next, other] : [other, next];
      }
      await withLog(async (transport) => {
        await until('an empty backlog', async () => (await transport.backlog('g', ['in'])) === 0, 60_000);
        for (const child of pair) await child.kill();
        const values = await valuesOf(transport, 'out');
        expect(values.length).toBe(total);
        expect(new Set(values).size).toBe(total);
        const marks = transport.marks('seen', { capacity: 1_000_000 });
        expect(marks.stats().size).toBe(total);
        expect(values.every((value) => marks.has(value, Date.now()))).toBe(true);
      });
      expect(later.length).toBe(kills);
      for (const { child, known } of later) expect(child.said['d']!.filter((value) => known.has(value))).toEqual([]);
      expect(unsettled).toBeGreaterThan(0);
    });

    it.skipIf(!canLift)('a process that may write no more says so, and goes on by itself when it may', async () => {
      await withLog(async (transport) => {
        await transport.ensureTopics(['in', 'out'].map((name) => ({ name, partitions: 2 })));
        const value = '.'.repeat(2000);
        await transport.produce(Array.from({ length: 400 }, (_, index) => ({ topic: 'in', key: `${index}`, value: `${index}${value}` })));
      });
      const filler = start('produce', 'full', 1400);
      await until('the refusal', () => filler.said['f']!.length > 0, 20_000);
      await filler.kill();
      const worker = start('work', 'w', 1400);
      await until('the fault', () => worker.said['f']!.includes('disk_full'), 20_000);
      const before = worker.said['s']!.length;
      expect(spawnSync('prlimit', ['--pid', `${worker.process.pid}`, '--fsize=unlimited']).status).toBe(0);
      await until('the end of the fault', () => worker.said['f']!.at(-1) === 'none');
      await until('work', () => worker.said['s']!.length > before + 300);
    });

    it('a process that may write no more loses nothing: what it had not settled, the next one does', async () => {
      await withLog(async (transport) => {
        await transport.ensureTopics(['in', 'out'].map((name) => ({ name, partitions: 2 })));
        const value = '.'.repeat(2000);
        const records = Array.from({ length: 400 }, (_, index) => ({ topic: 'in', key: `${index}`, value: `${index}${value}` }));
        await transport.produce(records);
      });
      // Blocks of 1 KiB: some more than there is by now, so that it stops in the middle.
      const limited = start('produce', 'full', 1400);
      await until('the refusal', () => limited.said['f']!.length > 2, 20_000);
      expect(new Set(limited.said['f']!)).toEqual(new Set(['PS3002']));
      const worker = start('work', 'w', 1400);
      await until('the fault', () => worker.said['f']!.includes('disk_full'), 20_000);
      await Promise.all([limited.kill(), worker.kill()]);
      start('work', 'free');
      await withLog(async (transport) => {
        await until('an empty backlog', async () => (await transport.backlog('g', ['in'])) === 0, 60_000);
        const values = await valuesOf(transport, 'out');
        expect(values.toSorted()).toEqual((await valuesOf(transport, 'in')).toSorted());
        expect(limited.said['a']!.filter((value) => !values.includes(value))).toEqual([]);
      });
    });
  });
}
