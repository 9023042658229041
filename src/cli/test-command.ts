import { relative } from 'node:path';
import { builtIns } from '../../plugins/index.js';
import { didYouMean } from '../diagnostics/index.js';
import { type CaseResult, Configurations, findSpecs, readSpec, runCase, type Spec } from '../testing/specs/index.js';
import { EXIT, UsageError } from './exit-codes.js';
import type { Shell } from './shell.js';
import { type Reporter, reporterFor, type ReporterName, type Totals } from './spec-reporters.js';

export interface TestFlags {
  readonly name?: string;
  readonly update?: boolean;
  readonly watch?: boolean;
  readonly reporter?: ReporterName;
}

/** The folder of specs when none is named. */
const USUAL = 'marbles';

/** Runs marble specs. */
export async function testCommand(shell: Shell, files: readonly string[], flags: TestFlags): Promise<number> {
  const paths = specFiles(files);
  const reporter = reporterFor(flags.reporter ?? (shell.json ? 'json' : 'pretty'), shell);
  const totals = await runOnce(paths, flags, reporter);
  return totals.failed > 0 || totals.passed === 0 ? EXIT.findings : EXIT.fine;
}

/** The files that are meant; what is not there is a mistake of whoever asked. */
function specFiles(asked: readonly string[]): readonly string[] {
  const cwd = process.cwd();
  const paths = (asked.length === 0 ? [USUAL] : asked).flatMap((path) => {
    const found = findSpecs(path, cwd);
    if (found !== undefined) return found;
    if (asked.length === 0) throw new UsageError(`there is no folder ${USUAL} here`, 'name the files: penstock test <files…>');
    const near = didYouMean(
      path,
      (findSpecs('.', cwd) ?? []).map((file) => relative(cwd, file)),
    );
    throw new UsageError(`${path} does not exist`, near === undefined ? undefined : `did you mean ${near}?`);
  });
  if (paths.length > 0) return [...new Set(paths)];
  throw new UsageError(`no spec lies in ${(asked.length === 0 ? [USUAL] : asked).join(', ')}`, 'specs are files called *.marbles.yaml');
}

async function runOnce(paths: readonly string[], { name }: TestFlags, reporter: Reporter): Promise<Totals> {
  const startedAt = performance.now();
  const configurations = new Configurations({ catalogue: builtIns });
  const counts = { passed: 0, failed: 0, left: 0 };
  reporter.begin?.(paths.length);
  for (const path of paths) {
    const spec: Spec = await readSpec(path);
    const results: CaseResult[] = [];
    const broken = spec.diagnostics.length > 0;
    const chosen = broken ? [] : spec.cases.filter((one) => name === undefined || one.name.includes(name));
    counts.left += spec.cases.length - chosen.length;
    for (const one of chosen) {
      const result = await runCase(one, { configurations });
      results.push(result);
      if (result.passed) counts.passed += 1;
      else counts.failed += 1;
    }
    if (broken) counts.failed += 1;
    if (broken || results.length > 0) reporter.file(spec, results);
  }
  const totals = { ...counts, ms: performance.now() - startedAt };
  reporter.end(totals);
  return totals;
}
