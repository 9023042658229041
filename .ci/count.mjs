// Reads a suite's output and prints "<passed> <failed>": from plain lines "N passed, N failed", else from Vitest's summary.
import { readFileSync } from 'node:fs';

// eslint-disable-next-line no-control-regex
const text = readFileSync(process.argv[2], 'utf8').replace(/\u001b\[[0-9;]*m/g, '');
const plain = [...text.matchAll(/^(\d+) passed, (\d+) failed$/gm)];
const vitest = [...text.matchAll(/^\s*Tests\s+(?:(\d+) failed)?[ |]*(?:(\d+) passed)?/gm)];
let passed = 0;
let failed = 0;
for (const [, p, f] of plain) {
  passed += Number(p);
  failed += Number(f);
}
for (const [, f, p] of vitest) {
  passed += Number(p ?? 0);
  failed += Number(f ?? 0);
}
console.log(passed, failed);
