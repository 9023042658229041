import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

const COMPILED = ['operators', 'src', 'plugins'];
const COPIED = ['bin', 'config', 'schema', 'package.json'];
const PLACE = join(ROOT, 'node_modules', '.penstock-test', 'built');
const KEPT_MS = 3_600_000;

/**
 * The package, built from the sources as they are now, in a folder of its own: what a test runs does not change under it, and is never an old build.
 * Built once for each state of the sources, by whichever process comes first. Answers the path of the command.
 */
export function builtCommand(): string {
  const state = createHash('sha256');
  for (const path of filesOf([...COMPILED, ...COPIED, 'tsconfig.json', 'tsconfig.build.json'])) {
    const { mtimeMs, size } = statSync(path);
    state.update(`${path}\0${mtimeMs}\0${size}\n`);
  }
  const folder = join(PLACE, state.digest('hex').slice(0, 16));
  if (!existsSync(folder)) build(folder);
  return join(folder, 'bin', 'penstock.js');
}

function filesOf(names: readonly string[]): readonly string[] {
  const paths = names.flatMap((name) => {
    const path = join(ROOT, name);
    if (!statSync(path).isDirectory()) return [path];
    const entries = readdirSync(path, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  });
  if (paths.length < 100) throw new Error(`only ${paths.length} source files were found in ${ROOT}`);
  return paths.toSorted();
}

function build(folder: string): void {
  mkdirSync(PLACE, { recursive: true });
  for (const name of readdirSync(PLACE)) {
    const old = join(PLACE, name);
    if (Date.now() - (statSync(old, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > KEPT_MS)
      rmSync(old, { recursive: true, force: true });
  }
  const draft = mkdtempSync(join(PLACE, '.draft-'));
  try {
    // Types are another check's business; the paths in the settings are seen from the root.
    const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const args = [
      compiler,
      '-p',
      join(ROOT, 'tsconfig.build.json'),
      '--noCheck',
      '--declaration',
      'false',
      '--outDir',
      join(draft, 'dist'),
    ];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    if (!existsSync(join(draft, 'dist', 'src', 'cli', 'main.js'))) throw new Error(`tsc ended with ${status}:\n${stdout}${stderr}`);
    for (const name of COPIED) cpSync(join(ROOT, name), join(draft, name), { recursive: true });
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // somebody else was faster
  }
}
