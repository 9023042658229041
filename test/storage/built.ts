import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

let directory: string | undefined;
let built: Promise<string> | undefined;
afterAll(() => {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

/** The tables as JavaScript, for child processes and threads; made once for a test file. Lies where packages are found, and is gone after the last test. */
export function buildTables(): Promise<string> {
  return (built ??= build());
}

async function build(): Promise<string> {
  const cache = `${root}node_modules/.cache`;
  await mkdir(cache, { recursive: true });
  directory = mkdtempSync(`${cache}/penstock-tables-`);
  await promisify(execFile)('npx', ['tsc', '-p', `${root}test/storage/tsconfig.json`, '--outDir', directory], { cwd: root });
  return pathToFileURL(`${directory}/src/storage/delta/index.js`).href;
}
