import type { Catalogue } from '../../plugin/index.js';
import { Configurations } from './configuration.js';
import { entryKey } from './entry-facts.js';
import { type Mutant, mutantsOf } from './mutants.js';
import { type CaseResult, runCase } from './run-case.js';
import type { SpecCase } from './spec.js';

/** What became of a mutant: a case failed, none did, none plays its plugin at all, or the configuration refused it. */
export interface MutantResult {
  readonly mutant: Mutant;
  readonly state: 'killed' | 'survived' | 'unplayed' | 'refused';
  /** The case that failed. */
  readonly by: SpecCase | undefined;
  /** How many cases were played with it. */
  readonly played: number;
}

export interface RunMutantsOptions {
  readonly catalogue: Catalogue;
  readonly cwd?: string;
  /** Told how far it is. */
  readonly onProgress?: (done: number, all: number) => void;
}

/** Makes every small mistake in the configurations that cases name, one at a time, and plays the cases that its plugin takes part in until one fails. */
export async function runMutants(results: readonly CaseResult[], options: RunMutantsOptions): Promise<readonly MutantResult[]> {
  const { catalogue, cwd } = options;
  const configurations = new Configurations({ catalogue, cwd });
  const found = await mutantsWithCases(results, configurations);
  const done: MutantResult[] = [];
  for (const [mutant, cases] of found) {
    options.onProgress?.(done.length, found.size);
    done.push(await tried(mutant, cases, configurations.with(mutant.mutations)));
  }
  options.onProgress?.(found.size, found.size);
  return done;
}

async function tried(mutant: Mutant, cases: readonly SpecCase[], configurations: Configurations): Promise<MutantResult> {
  if (cases.length === 0) return { mutant, state: 'unplayed', by: undefined, played: 0 };
  let played = 0;
  for (const one of cases) {
    const result = await runCase(one, { configurations });
    if (result.diagnostics.length > 0) return { mutant, state: 'refused', by: undefined, played };
    played += 1;
    if (!result.passed) return { mutant, state: 'killed', by: one, played };
  }
  return { mutant, state: 'survived', by: undefined, played };
}

/** Each mutant once, whatever files name its entry, with the cases that its plugin took part in; those in which it acted first. */
async function mutantsWithCases(
  results: readonly CaseResult[],
  configurations: Configurations,
): Promise<ReadonlyMap<Mutant, readonly SpecCase[]>> {
  const known = new Map<string, { readonly mutant: Mutant; readonly cases: { readonly one: SpecCase; readonly acted: boolean }[] }>();
  const listed = new Map<unknown, readonly (readonly [key: string, mutant: Mutant])[]>();
  for (const { case: one, counts } of results) {
    const { entries } = await configurations.loadUnchanged(one);
    let own = listed.get(entries);
    if (own === undefined) {
      const keys = new Map(entries.map((entry) => [entry.name, entryKey(entry)]));
      own = mutantsOf(entries, configurations.catalogue).map((mutant) => [
        [keys.get(mutant.plugin), mutant.place.line, mutant.place.column, mutant.text].join(' '),
        mutant,
      ]);
      listed.set(entries, own);
    }
    for (const [key, mutant] of own) {
      const entry = known.get(key) ?? { mutant, cases: [] };
      known.set(key, entry);
      const verdicts = Object.entries(counts[mutant.plugin] ?? {}).filter(([, count]) => count > 0);
      if (verdicts.length === 0) continue;
      entry.cases.push({ one, acted: verdicts.some(([verdict]) => ['act', 'filter', 'amend'].includes(verdict)) });
    }
  }
  return new Map(
    [...known.values()].map(({ mutant, cases }) => [
      mutant,
      cases.toSorted((a, b) => Number(b.acted) - Number(a.acted)).map(({ one }) => one),
    ]),
  );
}
