import type { Code } from '../diagnostics/index.js';

/** What a lane says happens at one moment. Moments are milliseconds; a lane with `^` counts from there. */
export interface Mark {
  readonly frame: number;
  readonly kind: 'next' | 'error' | 'complete';
  /** The letter as drawn; `#` and `|` for the two ends. */
  readonly symbol: string;
  /** Marks of one moment that are drawn together in brackets have one number; groups of a lane are counted from 0. */
  readonly group?: number;
  /** Where it stands in the text of its lane; none for what was received. */
  readonly at?: number;
}

export interface Lane {
  /** The text of it. */
  readonly drawn: string;
  readonly marks: readonly Mark[];
  /** Where the drawing ends. */
  readonly length: number;
  /** The lane has a `^`: what is left of it happens before anybody listens. */
  readonly hot: boolean;
}

/** When somebody begins to listen and when he leaves. */
export interface Listening {
  readonly from: number;
  readonly until: number;
  /** When a whole worker is told to drain. */
  readonly drainAt: number;
}

/** A lane is drawn wrongly, or a drawing cannot be understood. */
export class LaneError extends Error {
  override readonly name = 'LaneError';
  readonly code: Code = 'PS5001';

  constructor(
    message: string,
    /** Which lane, where it is one. */
    readonly lane?: string,
    /** Where in the text of the lane. */
    readonly at?: number,
  ) {
    super(message);
  }
}

const DURATION = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m)(?: |$)/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

interface Glyph {
  readonly symbol: string;
  readonly frame: number;
  readonly at: number;
  readonly group: number | undefined;
}

/** Walks a lane as RxJS' own marbles are read in run mode: spaces are nothing, a group happens where it opens and is as long as it is drawn. */
function glyphs(name: string, drawn: string): { readonly found: readonly Glyph[]; readonly length: number } {
  const found: Glyph[] = [];
  const wrong = (what: string, at: number): LaneError => new LaneError(`lane "${name}": ${what}`, name, at);
  let frame = 0;
  let groups = 0;
  let opened: { readonly frame: number; readonly at: number } | undefined;
  for (let at = 0; at < drawn.length; ) {
    const rest = drawn.slice(at);
    const duration = at === 0 || drawn[at - 1] === ' ' ? DURATION.exec(rest) : null;
    if (duration !== null) {
      if (duration[0].length === rest.length && !rest.endsWith(' ')) {
        throw wrong(`the duration ${rest} at the end is followed by nothing; leave it out or draw what comes then`, at);
      }
      frame += Number(duration[1]) * UNITS[duration[2]!]!;
      at += duration[0].length;
      continue;
    }
    const symbol = String.fromCodePoint(drawn.codePointAt(at)!);
    const place = at;
    at += symbol.length;
    if (symbol === ' ') continue;
    if (symbol === '(') {
      if (opened !== undefined) throw wrong('a group opens inside a group', place);
      opened = { frame, at: place };
    } else if (symbol === ')') {
      if (opened === undefined) throw wrong('a group closes that was not opened', place);
      opened = undefined;
      groups += 1;
    } else if (symbol === '-') {
      if (opened !== undefined) throw wrong('time does not pass inside a group', place);
    } else {
      found.push({ symbol, frame: opened?.frame ?? frame, at: place, group: opened === undefined ? undefined : groups });
    }
    frame += 1;
  }
  if (opened !== undefined) throw wrong('a group is not closed', opened.at);
  return { found, length: frame };
}

/** Reads a lane of items: letters, groups, `|`, `#`, `^` and durations. */
export function parseLane(name: string, drawn: string): Lane {
  const { found, length } = glyphs(name, drawn);
  const zero = found.find(({ symbol }) => symbol === '^')?.frame;
  const marks: Mark[] = [];
  let ended: string | undefined;
  for (const { symbol, frame, at, group } of found) {
    const wrong = (what: string): LaneError => new LaneError(`lane "${name}": ${what}`, name, at);
    if (symbol === '!') throw wrong('"!" belongs into the lane "sub"');
    if (symbol === '^') {
      if (frame !== zero) throw wrong('there is a second "^"');
      continue;
    }
    if (ended !== undefined) throw wrong(`"${symbol}" comes after the end "${ended}"`);
    if (symbol === '|' || symbol === '#') ended = symbol;
    const kind = symbol === '|' ? 'complete' : symbol === '#' ? 'error' : 'next';
    marks.push({ frame: frame - (zero ?? 0), kind, symbol, at, ...(group === undefined ? {} : { group }) });
  }
  return { drawn, marks, length: length - (zero ?? 0), hot: zero !== undefined };
}

/** Reads the lane that says when the subject is subscribed (`^`) and left (`!`). */
export function parseListening(name: string, drawn: string): Omit<Listening, 'drainAt'> {
  let from: number | undefined;
  let until: number | undefined;
  for (const { symbol, frame, at } of glyphs(name, drawn).found) {
    if (symbol === '^' && from === undefined) from = frame;
    else if (symbol === '!' && until === undefined) until = frame;
    else throw new LaneError(`lane "${name}": one "^" and one "!" are all it may have, found "${symbol}"`, name, at);
  }
  return { from: from ?? 0, until: until ?? Number.POSITIVE_INFINITY };
}

const LONG_PAUSE = 40;

/** Draws marks as a lane; what falls into the columns of a group before it cannot be drawn and follows in brackets. */
export function drawLane(marks: readonly Mark[], length: number): string {
  let drawn = '';
  let frame = 0;
  const beyond: string[] = [];
  const pause = (until: number): void => {
    const gap = until - frame;
    if (gap > LONG_PAUSE || !Number.isInteger(gap)) drawn += `${drawn === '' ? '' : ' '}${gap}ms `;
    else drawn += '-'.repeat(Math.max(0, gap));
    frame = Math.max(frame, until);
  };
  for (let at = 0; at < marks.length; ) {
    const moment = marks[at]!.frame;
    let symbols = '';
    let count = 0;
    for (; at < marks.length && marks[at]!.frame === moment; at += 1, count += 1) symbols += marks[at]!.symbol;
    if (moment < frame) {
      beyond.push(`${symbols} at ${moment} ms`);
      continue;
    }
    pause(moment);
    drawn += count === 1 ? symbols : `(${symbols})`;
    frame += count === 1 ? 1 : count + 2;
  }
  if (frame < length && length - frame <= LONG_PAUSE) pause(length);
  return beyond.length === 0 ? drawn : `${drawn}  [${beyond.join(', ')}]`;
}

/** Reads the lane that says when a worker drains (`!`). */
export function parseDrain(name: string, drawn: string): number {
  const { found } = glyphs(name, drawn);
  const strange = found.find(({ symbol }, at) => symbol !== '!' || at > 0);
  if (strange !== undefined || found.length === 0) throw new LaneError(`lane "${name}": one "!" is all it may have`, name, strange?.at);
  return found[0]!.frame;
}
