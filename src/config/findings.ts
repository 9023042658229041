import type { Code, Diagnostic, Place, Severity } from '../diagnostics/index.js';
import type { MissingVariable } from './yaml-file.js';

/** A finding at a place. */
export function finding(code: Code, severity: Severity, place: Place | undefined, message: string, help?: string): Diagnostic {
  return {
    code,
    severity,
    file: place?.file,
    line: place?.line,
    column: place?.column,
    endLine: place?.endLine,
    endColumn: place?.endColumn,
    message,
    ...(help === undefined ? {} : { help }),
  };
}

/** The finding about a variable that is not set; `usedBy` says what reads it. */
export function missingVariable({ name, reference, place }: MissingVariable, usedBy: string): Diagnostic {
  const used = `used by: ${usedBy}`;
  if (name === undefined)
    return finding('PS1301', 'error', place, `${reference} is no reference to a variable`, `write \${NAME} or \${NAME:-default}\n${used}`);
  return finding(
    'PS1301',
    'error',
    place,
    `environment variable ${name} is not set`,
    `set it, use --env-file .env, or give a default: \${${name}:-none}\n${used}`,
  );
}
