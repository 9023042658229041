#!/usr/bin/env node
// Runs the golden checks on a folder of vectors: `npm run test:golden -- --dir DIR` (default: the recorded vectors of this repository).
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const here = fileURLToPath(new URL('.', import.meta.url));

let options;
try {
  options = parseArgs({ options: { dir: { type: 'string' } } }).values;
} catch (error) {
  console.error(`${error.message}\nusage: npm run test:golden -- [--dir DIR]`);
  process.exit(2);
}
const folder = options.dir === undefined ? undefined : resolve(process.env.INIT_CWD ?? process.cwd(), options.dir);
if (folder !== undefined && !(existsSync(folder) && statSync(folder).isDirectory())) {
  console.error(`${folder} is not a folder`);
  process.exit(2);
}
if (folder !== undefined) process.env.PENSTOCK_GOLDEN_DIR = folder;

const vitest = await startVitest('test', [], {
  config: resolve(here, 'vitest.config.ts'),
  watch: false,
  reporters: [resolve(here, 'reporter.ts')],
});
await vitest.close();
