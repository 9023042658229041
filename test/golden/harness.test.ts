import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const run = fileURLToPath(new URL('run.mjs', import.meta.url));
const good = { id: 'good-1', in: { kind: 'xact_event_id', trace_id: 'ünï-7' }, out: { id: 'fbf98b01-3d45-5422-8403-4b2ccfce0afc' } };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-golden-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function check(files: Readonly<Record<string, readonly unknown[]>>): { readonly status: number | null; readonly lines: readonly string[] } {
  for (const [family, lines] of Object.entries(files)) {
    writeFileSync(join(folder, `${family}.ndjson`), lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'));
  }
  // A run inside a run: the variables by which vitest knows its workers must not reach the inner one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
  const { status, stdout } = spawnSync(process.execPath, [run, '--dir', folder], { encoding: 'utf8', env });
  return { status, lines: stdout.trim().split('\n') };
}

// Each run starts a runner of its own.
describe('the golden harness on a folder', { timeout: 60_000 }, () => {
  it('checks what it knows, names what it does not, and ends well', () => {
    const { status, lines } = check({ ids: [good, { ...good, id: 'info', out: {}, incidental: true }], 'somebody-elses': [good, good] });
    expect(lines).toContain('not checked: somebody-elses (2)');
    expect(lines).toContain('information only: ids (1 of 2)');
    expect(lines.at(-1)).toBe('1 passed, 0 failed');
    expect(status).toBe(0);
  });

  it('a folder of families that it does not check is no failure', () => {
    const { status, lines } = check({ 'somebody-elses': [good] });
    expect(lines).toEqual(['not checked: somebody-elses (1)', '0 passed, 0 failed']);
    expect(status).toBe(0);
  });

  it('fails on a vector that does not hold, and on a line that is none', () => {
    const { status, lines } = check({ ids: [good, { ...good, id: 'bad-1', want: { id: 'something else' } }, '{', [1]] });
    expect(lines.join('\n')).toContain('FAILED ids > bad-1');
    expect(lines.join('\n')).toContain('FAILED ids > line 3');
    expect(lines.join('\n')).toContain('FAILED ids > line 4');
    expect(lines.at(-1)).toBe('1 passed, 3 failed');
    expect(status).toBe(1);
  });

  it('fails on a folder without vectors', () => {
    expect(check({}).status).toBe(1);
  });
});
