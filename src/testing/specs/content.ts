import { isDeepStrictEqual } from 'node:util';
import type { PlayedMark } from '../play.js';
import { isFields } from './merge.js';

/**
 * Where what a lane received differs from what is wanted of it. A map asks for members: of what is published or sent (`$key` and `$headers` beside it
 * are those of the record or request), of a log line, a metric or an e-mail what it says of itself.
 */
export function actionDifference(wanted: unknown, { value, asked }: PlayedMark): string | undefined {
  if (asked === undefined || !isFields(wanted)) return differenceOf(wanted, value);
  const { params, type } = asked.action;
  if (type !== 'publish_to_topic' && type !== 'http_webhook') return differenceOf(wanted, params);
  const own = Object.fromEntries(Object.entries(wanted).filter(([key]) => !ENVELOPE.includes(key)));
  const envelope = Object.fromEntries(ENVELOPE.filter((key) => key in wanted).map((key) => [key, wanted[key]]));
  const carried = Object.fromEntries(ENVELOPE.map((key) => [key, (params as Readonly<Record<string, unknown>>)[key.slice(1)]]));
  return differenceOf(own, value) ?? differenceOf(envelope, carried);
}

/** What stands beside the content itself. */
const ENVELOPE = ['$key', '$headers'];

/** Where a value differs from what is wanted of it; of maps only the members that are wanted count. */
function differenceOf(wanted: unknown, value: unknown, path: readonly string[] = []): string | undefined {
  if (isFields(wanted)) {
    if (!isFields(value)) return told(path, wanted, value);
    for (const [key, inner] of Object.entries(wanted)) {
      const found = differenceOf(inner, Object.hasOwn(value, key) ? value[key] : undefined, [...path, key]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  // Nothing and null are one: what is wanted to be empty may be left out as well.
  return isDeepStrictEqual(wanted, value ?? null) ? undefined : told(path, wanted, value);
}

function told(path: readonly string[], wanted: unknown, value: unknown): string {
  return `${path.length === 0 ? '' : `${path.join('.')} = `}${shortText(value)}, expected ${shortText(wanted)}`;
}

/** A value as one line of JSON, shortened. */
export function shortText(value: unknown): string {
  const written = JSON.stringify(value) ?? 'nothing';
  return written.length > 200 ? `${written.slice(0, 197)}…` : written;
}
