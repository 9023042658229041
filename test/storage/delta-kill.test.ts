import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { openTable } from '../../src/storage/delta/index.js';
import { buildTables } from './built.js';
import { encoder, rowsOf, schemaOf, scratches } from './scratch.js';

const directoryOf = scratches();
const child = fileURLToPath(new URL('commit-forever.mjs', import.meta.url));
/** More lives find more; a few show that the test works. */
const LIVES = Number(process.env['PENSTOCK_TABLE_KILLS'] ?? 2);

/** Runs a writer until it has acknowledged something, then kills it at some moment; answers with the last version that it acknowledged. */
async function life(module: string, directory: string, appId: string, mode: string, moreMs: number): Promise<number> {
  const running = spawn(process.execPath, [child, module, directory, appId, mode], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let problems = '';
  running.stderr.on('data', (chunk: Buffer) => (problems += String(chunk)));
  return new Promise((resolve, reject) => {
    running.stdout.on('data', (chunk: Buffer) => {
      if (out === '') setTimeout(() => running.kill('SIGKILL'), moreMs);
      out += String(chunk);
    });
    running.on('exit', (_code, signal) => {
      if (signal === 'SIGKILL') resolve(Number(out.slice(0, out.lastIndexOf('\n')).split('\n').at(-1)));
      else reject(new Error(`the writer ended by itself: ${problems}`));
    });
  });
}

let module: string;
beforeAll(async () => {
  module = await buildTables();
}, 60_000);

describe('L1 L6: a table whose writers are killed', () => {
  it.each(['append', 'insert_if_absent', 'merge'] as const)('has what they acknowledged, once: %s', { timeout: 120_000 }, async (mode) => {
    const directory = directoryOf();
    const acknowledged = new Map<string, number>();
    for (let n = 0; n < LIVES; n += 1) {
      // two at once, each with a partition of its own
      await Promise.all(
        ['a', 'b'].map(async (appId, i) => acknowledged.set(appId, await life(module, directory, appId, mode, (n * 37 + i * 53) % 120))),
      );
    }
    const schema = schemaOf({ id: 'text', writer: 'text' }, { partitionBy: ['writer'], mode, key: mode === 'append' ? [] : ['id'] });
    const table = await openTable({ directory, schema, encoder });
    const ids = (await rowsOf(table)).map(({ id }) => String(id));
    const expected: string[] = [];
    for (const [appId, version] of acknowledged) {
      const recorded = (await table.txn(appId))!;
      expect(recorded).toBeGreaterThanOrEqual(version);
      for (let n = 0; n < recorded; n += 1) expected.push(`${appId} ${String(n)}`);
    }
    expect(ids.length).toBeGreaterThanOrEqual(LIVES * 6);
    expect(ids.sort()).toEqual(expected.sort());
    expect(await table.vacuum({ olderThanMs: -1 })).toBeInstanceOf(Array);
    expect((await rowsOf(table)).length).toBe(ids.length);
    expect((await readdir(join(directory, '_delta_log'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await table.close();
  });
});
