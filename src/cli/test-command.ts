import { type FSWatcher, statSync, watch } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, relative } from 'node:path';
import { builtIns } from '../../plugins/index.js';
import { didYouMean } from '../diagnostics/index.js';
import {
  type CaseResult,
  checkCase,
  Configurations,
  findSpecs,
  readSpec,
  RuleCoverage,
  runCase,
  type Spec,
  SPEC_ENDING,
  type SpecCase,
  uniqueFindings,
  updatedSpec,
} from '../testing/specs/index.js';
import { EXIT, UsageError } from './exit-codes.js';
import type { Shell } from './shell.js';
import { interruptible } from './signals.js';
import { tellMutants, tellRules } from './spec-audit.js';
import { type Reporter, reporterFor, type ReporterName, type Totals } from './spec-reporters.js';

export interface TestFlags {
  readonly name?: string;
  readonly update?: boolean;
  readonly watch?: boolean;
  readonly reporter?: ReporterName;
  readonly rules?: boolean;
  readonly mutate?: boolean;
  readonly threshold: number;
}

/** The folder of specs when none is named. */
export const USUAL = 'marbles';

/** Runs marble specs. */
export async function testCommand(shell: Shell, files: readonly string[], flags: TestFlags): Promise<number> {
  const reporter = (): Reporter => reporterFor(flags.reporter ?? (shell.json ? 'json' : 'pretty'), shell);
  const once = () => new TestRun(shell, specFiles(files), flags, reporter()).run();
  if (flags.watch === true) return await watching(shell, once);
  const { totals, enough } = await once();
  return totals.failed > 0 || totals.passed === 0 || !enough ? EXIT.findings : EXIT.fine;
}

/** The files that are meant; what is not there is a mistake of whoever asked. */
export function specFiles(asked: readonly string[]): readonly string[] {
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

interface RunOutcome {
  readonly totals: Totals;
  /** Everything that was read. */
  readonly files: ReadonlySet<string>;
  /** Rules were seen and mutants noticed as far as was asked for. */
  readonly enough: boolean;
}

const MOST_ROUNDS = 3;

/** All specs played once. */
class TestRun {
  private readonly configurations = new Configurations({ catalogue: builtIns });
  private readonly files = new Set<string>();
  private readonly counts = { passed: 0, failed: 0, left: 0 };
  private readonly notes: string[] = [];
  private readonly coverage: RuleCoverage | undefined;
  private readonly results: CaseResult[] = [];

  constructor(
    private readonly shell: Shell,
    private readonly paths: readonly string[],
    private readonly flags: TestFlags,
    private readonly reporter: Reporter,
  ) {
    this.coverage = flags.rules === true ? new RuleCoverage(this.configurations) : undefined;
  }

  async run(): Promise<RunOutcome> {
    const startedAt = performance.now();
    this.reporter.begin?.(this.paths.length);
    for (const path of this.paths) await this.spec(path);
    const totals = { ...this.counts, ms: performance.now() - startedAt };
    this.reporter.end(totals);
    for (const note of this.notes) this.shell.notice(note);
    if (totals.passed + totals.failed === 0) this.shell.notice(`no case is called ${JSON.stringify(this.flags.name)}`);
    return { totals, files: this.files, enough: await this.audited() };
  }

  /** What is asked for beside the cases themselves. */
  private async audited(): Promise<boolean> {
    const { shell, flags, coverage } = this;
    const limits = { threshold: flags.threshold, json: (flags.reporter ?? (shell.json ? 'json' : 'pretty')) === 'json' };
    const seen = coverage === undefined || tellRules(shell, coverage, limits);
    if (flags.mutate !== true) return seen;
    if (this.counts.failed > 0) {
      shell.notice('mutants are not tried while a case fails');
      return false;
    }
    return (await tellMutants(shell, this.results, limits)) && seen;
  }

  private async spec(path: string): Promise<void> {
    const spec = await this.opened(path);
    if (spec.diagnostics.length > 0) {
      this.counts.failed += 1;
      this.reporter.file(spec, []);
      return;
    }
    let played = spec;
    let results = await this.played(spec);
    if (this.flags.update === true) {
      let update = updatedSpec(played, results);
      let written = 0;
      // What a lane that is new receives may be seen only when it is drawn, so a second time may follow.
      for (let round = 0; update.lanes > 0 && round < MOST_ROUNDS; round += 1) {
        await writeFile(path, update.text);
        written += update.lanes;
        played = await this.opened(path);
        results = await this.played(played);
        update = updatedSpec(played, results);
      }
      this.notes.push(...update.left);
      if (written > 0) this.notes.push(`${spec.file}  ${written} lane${written === 1 ? '' : 's'} written`);
    }
    this.results.push(...results);
    for (const { passed } of results) this.counts[passed ? 'passed' : 'failed'] += 1;
    this.counts.left += played.cases.length - results.length;
    if (results.length > 0) this.reporter.file(played, results);
  }

  private async played(spec: Spec): Promise<readonly CaseResult[]> {
    const { name } = this.flags;
    const results: CaseResult[] = [];
    for (const one of spec.cases) {
      if (name === undefined || one.name.includes(name)) results.push(await this.case(one));
    }
    for (const one of spec.cases) for (const file of (await this.configurations.load(one)).files) this.files.add(file);
    return results;
  }

  private async case(one: SpecCase): Promise<CaseResult> {
    const { configurations, coverage } = this;
    if (coverage === undefined) return await runCase(one, { configurations });
    const result = await runCase(one, { configurations, watch: await coverage.watch(one) });
    await coverage.ended(result);
    return result;
  }

  /** A file with everything that is wrong with it, also what only shows when a case meets its configuration. */
  private async opened(path: string): Promise<Spec> {
    const spec = await readSpec(path);
    for (const file of spec.files) this.files.add(file);
    if (spec.diagnostics.length === 0) return spec;
    const found = [...spec.diagnostics];
    for (const one of spec.cases) found.push(...(await checkCase(one, { configurations: this.configurations })));
    return { ...spec, diagnostics: uniqueFindings(found) };
  }
}

/** A change is often several: an editor writes a file, then renames it. */
const SETTLE_MS = 50;
const CLOCK_MS = 20;

/** Runs again when something that was read changes, until it is interrupted. */
function watching(shell: Shell, once: () => Promise<RunOutcome>): Promise<number> {
  return interruptible(async ({ signal, exitCode }) => {
    while (!signal.aborted) {
      const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      const startedAt = Date.now();
      const { files } = await once();
      await shell.out.flush();
      shell.notice(`\nwatching ${files.size} files; Ctrl-C ends`);
      await Promise.race([ended, change(files, startedAt, signal)]);
    }
    return exitCode(EXIT.fine);
  });
}

/** Whether something was written while it was played, or came into a folder of it. */
function changedSince(files: ReadonlySet<string>, since: number): boolean {
  return [...files, ...[...files].map((file) => dirname(file))].some(
    (file) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) > since,
  );
}

/** Resolves when one of the files has changed since a moment. Folders are watched, since editors put a new file in the place of the old one. */
async function change(files: ReadonlySet<string>, since: number, signal: AbortSignal): Promise<void> {
  const watchers: FSWatcher[] = [];
  const names = new Map<string, Set<string>>();
  for (const file of files) names.set(dirname(file), new Set([...(names.get(dirname(file)) ?? []), basename(file)]));
  await new Promise<void>((resolve) => {
    const told = (): void => void setTimeout(resolve, SETTLE_MS);
    for (const [folder, own] of names) {
      const watcher = watch(folder, (_, name) => (name === null || own.has(name) || SPEC_ENDING.test(name)) && told());
      // A folder that goes away is a change as well; the next run says what is missing.
      watcher.on('error', told);
      watchers.push(watcher);
    }
    signal.addEventListener('abort', () => resolve(), { once: true });
    // What changed before somebody watched is seen by its time; the file system's clock may be a little behind.
    if (changedSince(files, since - CLOCK_MS)) told();
  });
  for (const watcher of watchers) watcher.close();
}
