import type { Code } from './codes.js';

export type Severity = 'error' | 'warning' | 'info';

/** One finding about something a user wrote; the command line, the editor and the library show the same object. Lines and columns count from 1. */
export interface Diagnostic {
  readonly code: Code;
  readonly severity: Severity;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly endLine?: number | undefined;
  readonly endColumn?: number | undefined;
  /** What was expected and what was found. */
  readonly message: string;
  /** What to type. */
  readonly help?: string | undefined;
}
