import type { Document, LineCounter } from 'yaml';
import type { Diagnostic } from '../diagnostics/index.js';

/** What stops a document from being read. Of one top-level block only the first error counts: what the parser says after it is its own confusion. */
export function syntaxDiagnostics(document: Document.Parsed, text: string, file: string, lines: LineCounter): Diagnostic[] {
  const found: Diagnostic[] = [];
  const source = text.split(/\r?\n/);
  let blockEnds = 0;
  const problems = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  for (const problem of problems) {
    const { line, col } = lines.linePos(problem.pos[0]);
    if (line < blockEnds || (found.length > 0 && problem.message.includes(' in YAML stream'))) continue;
    blockEnds = nextBlock(source, line);
    found.push(explain(problem.code, problem.message, { line, column: col, end: lines.linePos(problem.pos[1]) }, source, file));
  }
  return found;
}

/** The next line that begins a top-level entry. */
function nextBlock(source: readonly string[], line: number): number {
  for (let next = line + 1; next <= source.length; next++) if (/^[^\s#]/.test(source[next - 1]!)) return next;
  return Number.POSITIVE_INFINITY;
}

interface Spot {
  readonly line: number;
  readonly column: number;
  readonly end: { readonly line: number; readonly col: number };
}

const SENTENCES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'this line is indented by a tab',
  DUPLICATE_KEY: 'this key stands here a second time',
  MULTIPLE_DOCS: 'a second document begins here',
  BLOCK_AS_IMPLICIT_KEY: 'a second ": " stands in this line',
  TAG_RESOLVE_FAILED: 'this tag is not known',
};

const HELP: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent by spaces',
  DUPLICATE_KEY: 'remove one of the two',
  MULTIPLE_DOCS: 'write one document a file, without "---" between',
  BLOCK_AS_IMPLICIT_KEY: 'put the value in quotes, or begin a new line',
  BAD_SCALAR_START: 'put the value in quotes',
  TAG_RESOLVE_FAILED: 'remove the tag',
};

function explain(code: string, message: string, spot: Spot, source: readonly string[], file: string): Diagnostic {
  const wrongIndent = indentation(spot.line, source);
  if (wrongIndent !== undefined && INDENT_CODES.has(code)) return { code: 'PS1001', severity: 'error', file, ...wrongIndent };
  const reference = /\$\{[^}]*\}?/.exec(source[spot.line - 1]?.slice(spot.column - 2) ?? '');
  if (reference?.index === 0) {
    const place = { line: spot.line, column: spot.column - 1, endLine: spot.line, endColumn: spot.column - 1 + reference[0].length };
    return {
      code: 'PS1001',
      severity: 'error',
      file,
      ...place,
      message: `${reference[0]} within { } or [ ] must stand in quotes`,
      help: `write "${reference[0]}"`,
    };
  }
  const sentence = SENTENCES[code] ?? message.charAt(0).toLowerCase() + message.slice(1).replace(/\.$/, '');
  const word = /^[^\s:,\]}]+/.exec(source[spot.line - 1]?.slice(spot.column - 1) ?? '')?.[0].length ?? 1;
  const endColumn = spot.end.line === spot.line && spot.end.col > spot.column + 1 ? spot.end.col : spot.column + word;
  return {
    code: 'PS1001',
    severity: 'error',
    file,
    line: spot.line,
    column: spot.column,
    endLine: spot.line,
    endColumn,
    message: sentence,
    ...(HELP[code] === undefined ? {} : { help: HELP[code] }),
  };
}

const INDENT_CODES: ReadonlySet<string> = new Set(['BAD_INDENT', 'MISSING_CHAR', 'UNEXPECTED_TOKEN', 'BAD_COLLECTION_ITEM', 'IMPOSSIBLE']);

/** Whether a key of this line stands almost, but not quite, under its sibling above. */
function indentation(line: number, source: readonly string[]): Omit<Diagnostic, 'code' | 'severity' | 'file'> | undefined {
  const keyAt = (number: number) => /^( *)((?:- +)*)(["']?)([\w.-]+)\3\s*:(?:\s|$)/.exec(source[number - 1] ?? '');
  const here = keyAt(line);
  if (here === null || here[2] !== '') return undefined;
  const indent = here[1]!.length;
  for (let above = line - 1; above > 0 && above > line - 50; above--) {
    const sibling = keyAt(above);
    if (sibling === null) continue;
    const column = sibling[1]!.length + sibling[2]!.length;
    if (column === indent || Math.abs(column - indent) > 1) return undefined;
    return {
      line,
      column: indent + 1,
      endLine: line,
      endColumn: indent + 1 + here[4]!.length,
      message: `this line is indented by ${indent} space${indent === 1 ? '' : 's'}, its siblings by ${column}`,
      help: `indent "${here[4]}" like "${sibling[4]}" on line ${above}`,
    };
  }
  return undefined;
}
