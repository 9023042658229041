// Draws the figures of the pages anew from the specifications in code, as they run.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(new URL('figures', import.meta.url), { recursive: true, force: true });
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const { status } = spawnSync(process.execPath, [vitest, 'run', 'marbles/', '--reporter=dot'], {
  cwd: root,
  env: { ...process.env, PENSTOCK_FIGURES: 'write' },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
