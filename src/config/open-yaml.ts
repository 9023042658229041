import { readFile } from 'node:fs/promises';
import type { Diagnostic, Place } from '../diagnostics/index.js';
import { shown } from './find-file.js';
import { YamlFile } from './yaml-file.js';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read',
  EISDIR: 'it is a directory',
};

/** Opens a YAML file. What it cannot read becomes a finding at the place that names the file. */
export async function openYaml(path: string, cwd: string, namedAt?: Place): Promise<YamlFile | Diagnostic> {
  const file = shown(path, cwd);
  try {
    return new YamlFile(new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path)), file);
  } catch (error) {
    if (error instanceof TypeError) return unreadable(file, 'it is not UTF-8 text', namedAt);
    const code = (error as NodeJS.ErrnoException).code ?? '';
    return unreadable(file, REASONS[code] ?? (error as Error).message, namedAt);
  }
}

/** The finding about a file that cannot be read. */
export function unreadable(file: string, reason: string, namedAt: Place | undefined, help?: string): Diagnostic {
  return {
    code: 'PS1002',
    severity: 'error',
    file: namedAt?.file ?? file,
    line: namedAt?.line,
    column: namedAt?.column,
    endLine: namedAt?.endLine,
    endColumn: namedAt?.endColumn,
    message: namedAt === undefined ? `the file cannot be read: ${reason}` : `${file} cannot be read: ${reason}`,
    ...(help === undefined ? {} : { help }),
  };
}
