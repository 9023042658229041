// Draws the figures of the pages anew from the specifications in code, as they run; those of specifications that are gone go.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const { status } = spawnSync(process.execPath, [at('../node_modules/vitest/vitest.mjs'), 'run', 'marbles/', '--reporter=dot'], {
  cwd: at('..'),
  env: { ...process.env, PENSTOCK_FIGURES: 'write' },
  stdio: ['ignore', 'ignore', 'inherit'],
});
for (const name of readdirSync(at('figures'), { recursive: true })) {
  const spec = at(`../marbles/${name.replace(/\.svg$/, '.marbles.ts')}`);
  if (name.endsWith('.svg') && !existsSync(spec)) rmSync(at(`figures/${name}`));
}
if (status !== 0) console.error('not all specifications hold: npx vitest run marbles/');
process.exitCode = status ?? 1;
