#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { setFlagsFromString } = require('node:v8');

// Files are written, synced and committed by a pool of threads that has four unless told otherwise: fifty downloads and the log would wait for each
// other there. It must be told before the pool begins, and the loader of ES modules begins it: hence CommonJS here.
process.env.UV_THREADPOOL_SIZE ??= '16';

// What is in flight outlives the young generation, and the old one grows to four times what lives in it before it is looked at. Looked at sooner, the
// same work is done in two thirds of the memory (docs/performance.md).
// Only engines in which the flag was tried are told: one that does not know it would complain on standard error.
if (Number(process.versions.node.split('.')[0]) < 25) setFlagsFromString('--heap-growing-percent=50');

const main = join(__dirname, '..', 'dist', 'src', 'cli', 'main.js');

if (existsSync(main)) {
  import(pathToFileURL(main).href);
} else {
  process.stderr.write('penstock is not built yet: run `npm ci` (or `npm run build`) in its folder first\n');
  process.exitCode = 70;
}
