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
  const wrongIndent =
    code === 'BLOCK_AS_IMPLICIT_KEY' ? deeper(spot.line, source) : INDENT_CODES.has(code) ? indentation(spot.line, source) : undefined;
  if (wrongIndent !== undefined) return { code: 'PS1001', severity: 'error', file, ...wrongIndent };
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

/** A line as a key, with the spaces and dashes before it. */
function keyAt(source: readonly string[], line: number): RegExpExecArray | null {
  return /^( *)((?:- +)*)(["']?)([\w.-]+)\3\s*:(?:\s|$)/.exec(source[line - 1] ?? '');
}

type Indented = Omit<Diagnostic, 'code' | 'severity' | 'file'>;

function indented(
  line: number,
  indent: number,
  key: string,
  sibling: { readonly key: string; readonly column: number; readonly line: number },
): Indented {
  return {
    line,
    column: indent + 1,
    endLine: line,
    endColumn: indent + 1 + key.length,
    message: `this line is indented by ${indent} space${indent === 1 ? '' : 's'}, its siblings by ${sibling.column}`,
    help: `indent "${key}" like "${sibling.key}" on line ${sibling.line}`,
  };
}

/** Whether the key below this line stands deeper although the key of this line has its value already. */
function deeper(line: number, source: readonly string[]): Indented | undefined {
  const above = keyAt(source, line);
  if (above === null || /:\s/.test(source[line - 1]!.slice(above[0].length))) return undefined;
  let below = line + 1;
  while (below <= source.length && /^\s*(?:#|$)/.test(source[below - 1]!)) below += 1;
  const here = keyAt(source, below);
  const column = above[1]!.length + above[2]!.length;
  if (here === null || here[2] !== '' || here[1]!.length <= column) return undefined;
  return indented(below, here[1]!.length, here[4]!, { key: above[4]!, column, line });
}

/** Whether a key of this line stands almost, but not quite, under its sibling above. */
function indentation(line: number, source: readonly string[]): Indented | undefined {
  const here = keyAt(source, line);
  if (here === null || here[2] !== '') return undefined;
  const indent = here[1]!.length;
  for (let above = line - 1; above > 0 && above > line - 50; above--) {
    const sibling = keyAt(source, above);
    if (sibling === null) continue;
    const column = sibling[1]!.length + sibling[2]!.length;
    if (column === indent || Math.abs(column - indent) > 1) return undefined;
    return indented(line, indent, here[4]!, { key: sibling[4]!, column, line: above });
  }
  return undefined;
}
