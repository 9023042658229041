import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** How files of marble specs end. */
export const SPEC_ENDING = /\.marbles\.ya?ml$/;

/** The files of marble specs that a path means: itself, or those below it, sorted; undefined when there is nothing of this name. */
export function findSpecs(path: string, cwd: string): readonly string[] | undefined {
  const whole = resolve(cwd, path);
  try {
    if (!statSync(whole).isDirectory()) return [whole];
  } catch {
    return undefined; // whoever asked says that it is not there
  }
  return below(whole).sort();
}

function below(folder: string): string[] {
  const entries: Dirent[] = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name.startsWith('.') ? [] : below(path);
    return SPEC_ENDING.test(entry.name) ? [path] : [];
  });
}
