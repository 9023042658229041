import { isDeepStrictEqual } from 'node:util';
import type { MarblePlay } from '../play.js';

/** Fields told of one letter. */
const MOST_FIELDS = 3;
const LONGEST = 40;
/** What differs by its nature tells nothing. */
const IDENTITY = /(?:^|_)(?:id|ids|url|path|key|timestamp|at)$/;

/**
 * What the letters that enter stand for, in a few words: of messages, the fields by which they differ; of plain values, the value. Letters that stand
 * for themselves, or that cannot be told apart so, are left out.
 */
export function meaningsOf(play: MarblePlay): Readonly<Record<string, string>> {
  const values = new Map<string, unknown>();
  for (const { name, expected, received } of play.lanes) {
    if (name !== 'in') continue;
    for (const { kind, symbol, value } of expected ?? received) if (kind === 'next') values.set(symbol, value);
  }
  const fields = differing([...values.values()].filter(isFields)).filter((field) => !IDENTITY.test(field));
  const meanings: Record<string, string> = {};
  for (const [letter, value] of values) {
    if (isFields(value)) {
      const told = fields.filter((field) => value[field] !== undefined).slice(0, MOST_FIELDS);
      if (told.length > 0) meanings[letter] = told.map((field) => `${field}: ${brief(value[field])}`).join(' · ');
    } else if (value !== letter && isPlain(value)) meanings[letter] = brief(value);
  }
  return meanings;
}

/** The fields whose plain values are not the same in all. */
function differing(messages: readonly Readonly<Record<string, unknown>>[]): readonly string[] {
  const names = new Set(messages.flatMap((message) => Object.keys(message)));
  return [...names].filter((name) => {
    const [first, ...rest] = messages.map((message) => message[name]);
    return (
      messages.every((message) => message[name] === undefined || isPlain(message[name])) &&
      rest.some((other) => !isDeepStrictEqual(first, other))
    );
  });
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function brief(value: unknown): string {
  const text = String(value);
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
}
