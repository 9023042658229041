import { builtIns } from '../../plugins/index.js';
import { type CaseResult, type MutantResult, placeText, type RuleCoverage, runMutants } from '../testing/specs/index.js';
import type { Shell } from './shell.js';

/** Whether enough was seen, as a share of all. */
export interface AuditLimits {
  /** In percent. */
  readonly threshold: number;
  readonly json: boolean;
}

/** Nothing of nothing is no share: what has no rules was not tested by any threshold but none. */
const percent = (part: number, all: number): number => (all === 0 ? 0 : (part / all) * 100);
const rounded = (share: number): string => `${Math.floor(share * 10) / 10} %`;
const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;

/** What is told of a rule of which something was not seen. */
const UNSEEN: Readonly<Record<string, string>> = {
  taken: 'was never taken',
  true: 'was never true',
  false: 'was never false',
};

/** Tells which rules of the configurations the cases made happen; whether they are enough. */
export function tellRules(shell: Shell, coverage: RuleCoverage, { threshold, json }: AuditLimits): boolean {
  const { rules, points, plugins } = coverage.report();
  const share = percent(points.seen, points.all);
  if (json) {
    for (const { place, ...rule } of rules) shell.print(JSON.stringify({ ...place, ...rule }));
    shell.print(JSON.stringify({ rules: rules.length, points: points.all, seen: points.seen, percent: share, threshold, ...plugins }));
    return share >= threshold;
  }
  const disabled = plugins.disabled === 0 ? '' : ` (${plugins.disabled} more disabled)`;
  shell.print(
    `\nrules  ${count(plugins.enabled, 'plugin')}${disabled}, ${points.seen} of ${points.all} seen${points.all === 0 ? '' : `  ${rounded(share)}`}`,
  );
  const unseen = rules.filter(({ seen }) => Object.values(seen).includes(0));
  if (unseen.length > 0) shell.print('');
  for (const { place, plugin, kind, text, seen } of unseen) {
    const missing = Object.keys(seen).filter((what) => seen[what] === 0);
    const both = missing.length === 2 ? 'was never asked' : UNSEEN[missing[0]!]!;
    const sentence = kind === 'plugin' ? 'never acted' : kind === 'filter' ? 'never filtered' : `${text} ${both}`;
    shell.print(`  ${placeText(place)}  ${plugin}  ${sentence}`);
  }
  return verdict(shell, share, threshold, {
    all: points.all,
    what: 'of the rules were seen',
    nothing: 'no plugin that the specs name has a rule: is it the right configuration, and is something in it enabled?',
  });
}

/** Tries mutants and tells those that no case notices; whether enough were noticed. */
export async function tellMutants(shell: Shell, results: readonly CaseResult[], { threshold, json }: AuditLimits): Promise<boolean> {
  const shown = !shell.quiet && !json && process.stderr.isTTY;
  const startedAt = performance.now();
  const mutants = await runMutants(results, {
    catalogue: builtIns,
    onProgress: (done, all) => {
      if (shown) process.stderr.write(done === all ? '\r\u001b[K' : `\rmutants ${done}/${all}`);
    },
  });
  const tried = mutants.filter(({ state }) => state !== 'refused');
  const killed = tried.filter(({ state }) => state === 'killed').length;
  const share = percent(killed, tried.length);
  if (json) {
    for (const { mutant, state, by, played } of mutants) {
      const killer = by === undefined ? {} : { by: { file: by.spec.file, name: by.name } };
      shell.print(JSON.stringify({ ...mutant.place, plugin: mutant.plugin, change: mutant.text, state, cases: played, ...killer }));
    }
    shell.print(JSON.stringify({ mutants: tried.length, killed, percent: share, threshold }));
    return share >= threshold;
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(2);
  shell.print(`\nmutants  ${killed} of ${tried.length} noticed${tried.length === 0 ? '' : `  ${rounded(share)}`}  in ${seconds} s`);
  const survivors = tried.filter(({ state }) => state !== 'killed');
  if (survivors.length > 0) shell.print('');
  for (const survivor of survivors) shell.print(`  ${told(survivor)}`);
  return verdict(shell, share, threshold, {
    all: tried.length,
    what: 'of the mutants were noticed',
    nothing: 'there is nothing in which a mistake could be made: is it the right configuration, and is something in it enabled?',
  });
}

function told({ mutant: { place, plugin, text }, state, played }: MutantResult): string {
  const why = state === 'unplayed' ? 'no case plays it' : `not noticed by ${count(played, 'case')}`;
  return `${placeText(place)}  ${plugin}  ${text}  ${why}`;
}

interface Sentences {
  readonly all: number;
  readonly what: string;
  readonly nothing: string;
}

function verdict(shell: Shell, share: number, threshold: number, { all, what, nothing }: Sentences): boolean {
  if (share >= threshold) return true;
  shell.print(all === 0 ? `\n${nothing}` : `\n${rounded(share)} ${what}, ${threshold} % are asked for`);
  return false;
}
