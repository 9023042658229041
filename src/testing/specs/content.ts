import { isDeepStrictEqual } from 'node:util';
import { isFields } from './merge.js';

/** Where a value differs from what is wanted of it; of maps only the members that are wanted count. */
export function differenceOf(wanted: unknown, value: unknown, path: readonly string[] = []): string | undefined {
  if (isFields(wanted)) {
    if (!isFields(value)) return told(path, wanted, value);
    for (const [key, inner] of Object.entries(wanted)) {
      const found = differenceOf(inner, Object.hasOwn(value, key) ? value[key] : undefined, [...path, key]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return isDeepStrictEqual(wanted, value) ? undefined : told(path, wanted, value);
}

function told(path: readonly string[], wanted: unknown, value: unknown): string {
  return `${path.length === 0 ? '' : `${path.join('.')} = `}${shortText(value)}, expected ${shortText(wanted)}`;
}

/** A value as one line of JSON, shortened. */
export function shortText(value: unknown): string {
  const written = JSON.stringify(value) ?? 'nothing';
  return written.length > 200 ? `${written.slice(0, 197)}…` : written;
}
