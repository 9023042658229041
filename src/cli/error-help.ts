import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CODES } from '../diagnostics/index.js';
import { packageRoot } from './settings.js';

/** What can be said about error codes: of all of them a list, of one its paragraph in the reference; none of anything else. */
export function errorHelp(subject: string): string | undefined {
  if (subject === 'errors') {
    return Object.entries(CODES)
      .map(([code, title]) => `${code}  ${title}`)
      .join('\n');
  }
  const code = subject.toUpperCase();
  const title = Object.entries(CODES).find(([known]) => known === code)?.[1];
  if (title === undefined) return undefined;
  const paragraph = paragraphOf(code);
  return paragraph === undefined ? `${code}  ${title}` : `${code}  ${title}\n\n${paragraph}`;
}

/** The section of `docs/errors.md` under the heading that starts with the code; the package goes without the docs. */
function paragraphOf(code: string): string | undefined {
  const file = join(packageRoot(), 'docs', 'errors.md');
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.includes(code));
  if (start < 0) return undefined;
  const length = lines.slice(start + 1).findIndex((line) => /^#+ /.test(line));
  return lines
    .slice(start + 1, length < 0 ? undefined : start + 1 + length)
    .join('\n')
    .trim();
}
