import type { Catalogue } from '../../plugin/index.js';
import { MarblesError } from '../report.js';
import { Configurations } from './configuration.js';
import { readSpec } from './read-spec.js';
import { runCase } from './run-case.js';
import { caseOf, type Spec } from './spec.js';
import { placeOfResult, tellCase, tellSpec } from './tell-case.js';

/** Plays the cases of one file for a test runner. */
export interface SpecTests {
  /** Plays the case at this place of the file. Throws a `MarblesError` when it fails; its stack names the place in the file. */
  play(index: number): Promise<void>;
  /** Throws when anything is wrong with the file. */
  check(): Promise<void>;
}

/** The cases of a file of marble specs as tests. The file is read once, when the first test asks. */
export function specTests(path: string, { catalogue }: { readonly catalogue: Catalogue }): SpecTests {
  const configurations = new Configurations({ catalogue });
  let reading: Promise<Spec> | undefined;
  const usable = async (): Promise<Spec> => {
    reading ??= readSpec(path);
    const spec = await reading;
    const [first] = spec.diagnostics;
    if (first === undefined) return spec;
    throw located(tellSpec(spec), spec, first.line ?? 1, first.column ?? 1, undefined);
  };
  return {
    async check() {
      await usable();
    },
    async play(index) {
      const spec = await usable();
      const one = spec.cases[index];
      if (one === undefined) throw new MarblesError(`${spec.file} has no case ${index + 1}`);
      const result = await runCase(one, { configurations });
      if (result.passed) return;
      const place = placeOfResult(result);
      const here = place.file === spec.file ? place : caseOf(one);
      throw located(tellCase(result), spec, here.line, here.column, one.name);
    },
  };
}

function located(lines: readonly string[], spec: Spec, line: number, column: number, name: string | undefined): MarblesError {
  const error = new MarblesError(lines.join('\n'));
  error.stack = `${error.name}: ${error.message}\n    at ${name ?? 'the spec'} (${spec.path}:${line}:${column})`;
  return error;
}
