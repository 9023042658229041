// Draws the figures of the pages anew from the specifications, as they run; those of specifications that are gone go.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Specifications in YAML whose cases the pages show. */
const SHOWN = ['marbles/xact/first.marbles.yaml'];

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { status } = spawnSync(process.execPath, [at('../node_modules/vitest/vitest.mjs'), 'run', 'marbles/', '--reporter=dot'], {
  cwd: at('..'),
  env: { ...process.env, PENSTOCK_FIGURES: 'write' },
  stdio: ['ignore', 'ignore', 'inherit'],
});
const { status: drawn } = spawnSync(
  process.execPath,
  [at('../bin/penstock.js'), 'marbles', 'render', ...SHOWN, '--out', 'docs/figures', '--quiet'],
  {
    cwd: at('..'),
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);
for (const name of readdirSync(at('figures'), { recursive: true })) {
  const specs = [name.replace(/\.svg$/, '.marbles.ts'), `${dirname(name)}.marbles.yaml`];
  if (name.endsWith('.svg') && !specs.some((spec) => existsSync(at(`../marbles/${spec}`)))) rmSync(at(`figures/${name}`));
}
if (status !== 0) console.error('not all specifications hold: npx vitest run marbles/');
process.exitCode = status || drawn || 0;
