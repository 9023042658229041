import { readFileSync } from 'node:fs';

/** The folders above this file in which the package may lie: run from sources, and run from the build. */
const PLACES = ['../../package.json', '../../../package.json'];

/** The version of this package. */
export function version(): string {
  for (const place of PLACES) {
    try {
      const { name, version: found } = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as Record<string, unknown>;
      if (name === 'penstock' && typeof found === 'string') return found;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return '0.0.0';
}
