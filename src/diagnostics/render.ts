import { CODES, type Code } from './codes.js';
import type { Diagnostic, Severity } from './diagnostic.js';
import { isSecretKey } from './schema-issues.js';

export interface RenderOptions {
  /** The text of a file, for frames; none draws no frame. */
  readonly source?: (file: string) => string | undefined;
  /** Terminal colours. Defaults to none. */
  readonly color?: boolean;
}

/** Findings by place: file, line, column; those without a place come first, errors before warnings at one place. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const rank: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };
  return [...diagnostics].sort(
    (a, b) =>
      compare(a.file ?? '', b.file ?? '') ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0) ||
      rank[a.severity] - rank[b.severity] ||
      compare(a.code, b.code),
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** One finding a line as JSON, sorted by place, with where the documentation explains it; nothing for none. */
export function renderJson(diagnostics: readonly Diagnostic[]): string {
  return sortDiagnostics(diagnostics)
    .map((diagnostic) => `${JSON.stringify({ ...diagnostic, docs: explanationOf(diagnostic.code) })}\n`)
    .join('');
}

/** The paragraph about a code, as a link from the package's root. */
export function explanationOf(code: Code): string {
  const heading = `${code} ${CODES[code]}`.toLowerCase();
  return `docs/errors.md#${heading.replaceAll(/[^\w\s-]/g, '').replaceAll(/\s/g, '-')}`;
}

/** Findings for people: place, severity, code and sentence on the first line, then the lines around, then what to type. */
export function renderPretty(diagnostics: readonly Diagnostic[], options: RenderOptions = {}): string {
  return sortDiagnostics(diagnostics)
    .map((diagnostic) => `${renderOne(diagnostic, options)}\n`)
    .join('');
}

/** `1 warning, 0 errors.` */
export function countLine(diagnostics: readonly Diagnostic[]): string {
  const count = (severity: Severity) => diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
  const [warnings, errors] = [count('warning'), count('error')];
  return `${warnings} warning${warnings === 1 ? '' : 's'}, ${errors} error${errors === 1 ? '' : 's'}.`;
}

const COLORS: Readonly<Record<Severity, string>> = { error: '\u001b[31m', warning: '\u001b[33m', info: '\u001b[36m' };
const RESET = '\u001b[0m';

function renderOne(diagnostic: Diagnostic, { source, color = false }: RenderOptions): string {
  const paint = (text: string) => (color ? `${COLORS[diagnostic.severity]}${text}${RESET}` : text);
  const lines = [`${place(diagnostic)}${paint(diagnostic.severity)} ${diagnostic.code} ${diagnostic.message}`];
  const text = diagnostic.file === undefined ? undefined : source?.(diagnostic.file);
  if (text !== undefined) lines.push(...frame(diagnostic, text.split(/\r?\n/), paint));
  if (diagnostic.help !== undefined) {
    const [first, ...rest] = diagnostic.help.split('\n');
    lines.push(`  = help: ${first}`, ...rest.map((line) => `          ${line}`));
  }
  return lines.join('\n');
}

function place({ file, line, column }: Diagnostic): string {
  if (file === undefined) return '';
  return `${[file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(':')} `;
}

/** Sentences that quote what they are about need no lines around them. */
const WITHOUT_FRAME: ReadonlySet<string> = new Set(['PS1002', 'PS1103', 'PS1104', 'PS1202', 'PS1205']);
/** A syntax error is seen against its neighbours; a finding inside a text is about that line alone. */
const LINES_AFTER: ReadonlySet<string> = new Set(['PS1001']);
const LINES_BEFORE: ReadonlySet<string> = new Set(['PS1001', 'PS1101', 'PS1102', 'PS1105', 'PS2101', 'PS2107']);

const MOST_WIDTH = 200;
const MOST_CARETS = 120;
/** How much of a long line is shown before what is wrong in it. */
const CONTEXT = 60;

/** A line as it is, or as much of a long one as is seen beside what is wrong. */
function part(text: string, from: number): string {
  const start = from === 0 ? '' : '…';
  const end = text.length - from > MOST_WIDTH ? '…' : '';
  return `${start}${text.slice(from + start.length, from + MOST_WIDTH - end.length)}${end}`;
}

function frame(diagnostic: Diagnostic, lines: readonly string[], paint: (text: string) => string): string[] {
  const { line, column } = diagnostic;
  if (line === undefined || column === undefined || WITHOUT_FRAME.has(diagnostic.code)) return [];
  const here = lines[line - 1];
  if (here === undefined) return [];
  const before = LINES_BEFORE.has(diagnostic.code) && belongs(lines[line - 2], here) ? lines[line - 2] : undefined;
  const after = LINES_AFTER.has(diagnostic.code) && lines[line]?.trim() ? lines[line] : undefined;
  const width = String(after === undefined ? line : line + 1).length;
  const numbered = (number: number, text: string) => `  ${String(number).padStart(width)} | ${text}`.trimEnd();
  const end =
    diagnostic.endLine === undefined || diagnostic.endLine === line ? (diagnostic.endColumn ?? column + 1) : here.trimEnd().length + 1;
  const carets = '^'.repeat(Math.max(1, Math.min(end - column, Math.max(1, here.length - column + 1), MOST_CARETS)));
  const lead = masked(here) === here ? here.slice(0, column - 1) : masked(here.slice(0, column - 1));
  const from = here.length > MOST_WIDTH ? Math.max(0, lead.length - CONTEXT) : 0;
  const framed = [
    numbered(line, part(masked(here), from)),
    `  ${' '.repeat(width)} | ${part(lead, from).replace(/[^\t]/g, ' ')}${paint(carets)}`,
  ];
  if (before !== undefined) framed.unshift(numbered(line - 1, part(masked(before), 0)));
  if (after !== undefined) framed.push(numbered(line + 1, part(masked(after), 0)));
  return framed;
}

const indent = (line: string): number => line.search(/[^ \t-]|$/);

/** Whether the line above is a sibling or the parent of this one. */
function belongs(above: string | undefined, here: string): boolean {
  return above !== undefined && above.trim() !== '' && indent(above) <= indent(here) + 1;
}

const BLOCK_VALUE = /^(\s*(?:- +)*["']?([\w.-]+)["']?\s*:\s+)([^\s{].*)$/;
const FLOW_VALUE = /(["']?([\w.-]+)["']?\s*:\s+)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s{},[\]][^,}\]]*)/g;

/** A literal value behind a key that names a secret is not shown; a reference to a variable is. */
function masked(line: string): string {
  const hide = (whole: string, start: string, key: string, value: string) =>
    isSecretKey(key) && !value.includes('${') ? `${start}[REDACTED]` : whole;
  const block = BLOCK_VALUE.exec(line);
  return block === null ? line.replace(FLOW_VALUE, hide) : hide(line, block[1]!, block[2]!, block[3]!);
}
