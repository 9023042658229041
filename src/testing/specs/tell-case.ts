import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Diagnostic, type Place, renderPretty, sortDiagnostics } from '../../diagnostics/index.js';
import type { PluginCounts } from '../../plugin/index.js';
import type { PlayedMark } from '../play.js';
import { alignedLanes } from './aligned.js';
import type { CaseProblem, CaseResult } from './run-case.js';
import { shortText } from './content.js';
import { caseOf, type Spec } from './spec.js';

/** `file:line:column`. */
export function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/** Why a case failed: the findings, or each lane that differs with the place of its first difference. Lines without an end. */
export function tellCase(result: CaseResult): readonly string[] {
  if (result.diagnostics.length > 0) {
    const { sources, case: one } = result;
    const source = (file: string): string | undefined => (file === one.spec.file ? one.spec.yaml.text : sources.get(file));
    return renderPretty(result.diagnostics, { source }).trimEnd().split('\n');
  }
  const lines = result.problems.flatMap((problem) => tellProblem(problem, result));
  const decided = decisions(result.counts);
  return [...lines, ...(decided === '' ? [] : [`  plugins: ${decided}`]), ...strangers(result)];
}

/** What stands behind signs that no letter is for, of the lanes that are shown. */
function strangers({ problems, play, case: one }: CaseResult): readonly string[] {
  const shown = new Set(problems.map(({ lane }) => lane));
  const marks = (play?.lanes ?? []).filter(({ name }) => shown.has(name)).flatMap(({ received }) => received);
  const unknown = new Map(
    marks.filter(({ kind, symbol }) => kind === 'next' && !one.messages.has(symbol)).map(({ symbol, value }) => [symbol, value]),
  );
  return [...unknown].map(([symbol, value]) => `  ${symbol} is ${shortText(value)}`);
}

/** What is wrong with a file of specs. Lines without an end. */
export function tellSpec({ diagnostics, file, yaml }: Spec): readonly string[] {
  return renderPretty(diagnostics, { source: (name) => (name === file ? yaml.text : textOf(name)) })
    .trimEnd()
    .split('\n');
}

function tellProblem(problem: CaseProblem, { play }: CaseResult): readonly string[] {
  const { place, lane, text } = problem;
  if (lane === undefined || play === undefined) return [placeText(place), `  ${text}`];
  const played = play.lanes.find(({ name }) => name === lane);
  const source = play.lanes.find(({ name }) => name === 'in');
  const sourceRow = { label: 'in', marks: source === undefined ? [] : source.received };
  const compared =
    lane === 'in' || played === undefined
      ? []
      : [
          { label: 'expected', marks: played.expected ?? [] },
          { label: 'received', marks: played.received },
        ];
  const rows = alignedLanes([sourceRow, ...compared], '  ').map((row) => (/^ {2}(expected|received)$/.test(row) ? `${row}  nothing` : row));
  const lists = differences(problem);
  const own = lists.length > 0 && !text.startsWith('nothing came here') ? [] : [`  ${text}`];
  return [
    `${placeText(place)}  lane "${lane}"${played?.expected === undefined && lane !== 'in' ? ', which is not drawn' : ''}`,
    ...rows,
    ...lists,
    ...own,
  ];
}

function differences({ missing, extra }: CaseProblem): readonly string[] {
  const named = (mark: PlayedMark): string =>
    `${mark.kind === 'complete' ? 'completion' : mark.kind === 'error' ? 'error' : mark.symbol}@${mark.frame}ms`;
  const width = Math.max(0, ...[...missing, ...extra].map((mark) => named(mark).length));
  return [
    ...missing.map((mark) => `  - missing  ${named(mark)}`),
    ...extra.map((mark) => `  + extra    ${named(mark).padEnd(width)}  ${mark.reason ?? mark.asked?.plugin ?? ''}`.trimEnd()),
  ];
}

/** What plugins did, those that did nothing of note left out. */
function decisions(counts: PluginCounts): string {
  return Object.entries(counts)
    .map(([plugin, verdicts]) => {
      const told = Object.entries(verdicts).filter(([verdict, count]) => count > 0 && verdict !== 'pass' && verdict !== 'not_matched');
      return told.length === 0 ? '' : `${plugin} ${told.map(([verdict, count]) => `${verdict} ${count}`).join(', ')}`;
    })
    .filter((text) => text !== '')
    .join(' · ');
}

/** The place at which a case is shown to have failed. */
export function placeOfResult(result: CaseResult): Place {
  const [problem] = result.problems;
  if (problem !== undefined) return problem.place;
  const [diagnostic] = result.diagnostics;
  if (diagnostic?.file !== undefined && diagnostic.line !== undefined) {
    return { file: diagnostic.file, line: diagnostic.line, column: diagnostic.column ?? 1 };
  }
  return caseOf(result.case);
}

/** The text of a file that a finding is about. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(resolve(file), 'utf8');
  } catch {
    return undefined; // a finding about a file that cannot be read is shown without its lines
  }
}

/** Findings without repetition, by place: what is wrong with a configuration is wrong for every case that plays on it. */
export function uniqueFindings(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const known = new Map(
    diagnostics.map((diagnostic) => [
      JSON.stringify([diagnostic.file, diagnostic.line, diagnostic.column, diagnostic.message]),
      diagnostic,
    ]),
  );
  return sortDiagnostics([...known.values()]);
}
