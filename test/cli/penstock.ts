import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const built = join(root, 'dist/src/cli/main.js');
const lock = join(root, 'node_modules/.penstock-build-lock');
const STALE_LOCK_MS = 120_000;

const changedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

function newestSource(): number {
  return Math.max(
    ...['operators', 'src', 'plugins'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => changedAt(join(entry.parentPath, entry.name))),
    ),
  );
}

/** Builds what is tested, unless the build is newer than every source; one process at a time. */
function build(): void {
  while (changedAt(built) < newestSource()) {
    try {
      mkdirSync(lock);
    } catch {
      if (Date.now() - changedAt(lock) > STALE_LOCK_MS) rmSync(lock, { recursive: true, force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100); // another test file builds
      continue;
    }
    try {
      spawnSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
      // Files whose text did not change are not written again.
      spawnSync('touch', [built]);
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Given {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

let isBuilt = false;

/** Runs the command as a user does, in a process of its own. */
export function penstock(args: readonly string[], { input = '', env = {}, cwd = root }: Given = {}): Promise<Ended> {
  if (!isBuilt) build();
  isBuilt = true;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'bin/penstock.js'), ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: '1', ...env },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes));
    child.on('error', reject);
    child.stdin.on('error', () => undefined); // a command that reads no input may be gone before it is written
    child.on('close', (status) =>
      resolve({ status, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') }),
    );
    child.stdin.end(input);
  });
}

const folders: string[] = [];

/** A folder that is removed when the file's tests have run. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-cli-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The JSON lines of an output. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
