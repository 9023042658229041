import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { builtIns } from '../../../plugins/index.js';
import {
  type CaseResult,
  checkCase,
  Configurations,
  readSpec,
  runCase,
  tellCase,
  uniqueFindings,
} from '../../../src/testing/specs/index.js';

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder with files in it, removed when the file's tests have run. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'penstock-specs-')));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Three rules that specs of tests play on. */
export const RULES = `plugins:
  - name: event_filter
    config: { pattern: "test.*" }
  - name: esx_processor
    config: { topic: esx }
  - name: failure_alerter
    config: { topic: alerts, min_retries: 3 }
`;

/** Plays every case of a text that lies beside `rules.yaml`. */
export async function played(text: string, files: Readonly<Record<string, string>> = {}): Promise<readonly CaseResult[]> {
  const { spec, configurations } = await opened(text, files);
  if (spec.diagnostics.length > 0) throw new Error(spec.diagnostics.map(({ message }) => message).join('\n'));
  const results: CaseResult[] = [];
  for (const one of spec.cases) results.push(await runCase(one, { configurations }));
  return results;
}

export async function opened(text: string, files: Readonly<Record<string, string>> = {}) {
  const folder = folderWith({ 'rules.yaml': RULES, ...files, 'a.marbles.yaml': text });
  const spec = await readSpec(join(folder, 'a.marbles.yaml'), { cwd: folder });
  return { folder, spec, configurations: new Configurations({ catalogue: builtIns, cwd: folder }) };
}

/** Everything that is wrong with a text, as `line:column code message`. */
export async function faults(text: string, files: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const { spec, configurations } = await opened(text, files);
  const found = [...spec.diagnostics];
  for (const one of spec.cases) found.push(...(await checkCase(one, { configurations })));
  return uniqueFindings(found).map(
    ({ line, column, code, message, help }) => `${line}:${column} ${code} ${message}${help === undefined ? '' : ` = ${help}`}`,
  );
}

/** What is told of the cases that failed, without their folder. */
export async function told(text: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const results = await played(text, files);
  return results
    .filter(({ passed }) => !passed)
    .flatMap((result) => tellCase(result))
    .join('\n');
}
