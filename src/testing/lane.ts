/** What a lane says happens at one moment. Moments are milliseconds; a lane with `^` counts from there. */
export interface Mark {
  readonly frame: number;
  readonly kind: 'next' | 'error' | 'complete';
  /** The letter as drawn; `#` and `|` for the two ends. */
  readonly symbol: string;
}

export interface Lane {
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
}

/** A lane is drawn wrongly. */
export class LaneError extends Error {
  override readonly name = 'LaneError';
}

const DURATION = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m)(?: |$)/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

interface Glyph {
  readonly symbol: string;
  readonly frame: number;
}

/** Walks a lane as RxJS' own marbles are read in run mode: spaces are nothing, a group happens where it opens and is as long as it is drawn. */
function glyphs(name: string, drawn: string): { readonly found: readonly Glyph[]; readonly length: number } {
  const found: Glyph[] = [];
  let frame = 0;
  let group = -1;
  for (let at = 0; at < drawn.length; ) {
    const rest = drawn.slice(at);
    const duration = at === 0 || drawn[at - 1] === ' ' ? DURATION.exec(rest) : null;
    if (duration !== null) {
      if (duration[0].length === rest.length && !rest.endsWith(' ')) {
        throw new LaneError(`lane "${name}": the duration ${rest} at the end is followed by nothing; leave it out or draw what comes then`);
      }
      frame += Number(duration[1]) * UNITS[duration[2]!]!;
      at += duration[0].length;
      continue;
    }
    const symbol = String.fromCodePoint(drawn.codePointAt(at)!);
    at += symbol.length;
    if (symbol === ' ') continue;
    if (symbol === '(') {
      if (group >= 0) throw new LaneError(`lane "${name}": a group opens inside a group`);
      group = frame;
    } else if (symbol === ')') {
      if (group < 0) throw new LaneError(`lane "${name}": a group closes that was not opened`);
      group = -1;
    } else if (symbol === '-') {
      if (group >= 0) throw new LaneError(`lane "${name}": time does not pass inside a group`);
    } else {
      found.push({ symbol, frame: group >= 0 ? group : frame });
    }
    frame += 1;
  }
  if (group >= 0) throw new LaneError(`lane "${name}": a group is not closed`);
  return { found, length: frame };
}

/** Reads a lane of items: letters, groups, `|`, `#`, `^` and durations. */
export function parseLane(name: string, drawn: string): Lane {
  const { found, length } = glyphs(name, drawn);
  const zero = found.find(({ symbol }) => symbol === '^')?.frame;
  const marks: Mark[] = [];
  let ended: string | undefined;
  for (const { symbol, frame } of found) {
    if (symbol === '!') throw new LaneError(`lane "${name}": "!" belongs into the lane "sub"`);
    if (symbol === '^') {
      if (frame !== zero) throw new LaneError(`lane "${name}": there is a second "^"`);
      continue;
    }
    if (ended !== undefined) throw new LaneError(`lane "${name}": "${symbol}" comes after the end "${ended}"`);
    if (symbol === '|' || symbol === '#') ended = symbol;
    marks.push({ frame: frame - (zero ?? 0), kind: symbol === '|' ? 'complete' : symbol === '#' ? 'error' : 'next', symbol });
  }
  return { marks, length: length - (zero ?? 0), hot: zero !== undefined };
}

/** Reads the lane that says when the subject is subscribed (`^`) and left (`!`). */
export function parseListening(name: string, drawn: string): Listening {
  let from: number | undefined;
  let until: number | undefined;
  for (const { symbol, frame } of glyphs(name, drawn).found) {
    if (symbol === '^' && from === undefined) from = frame;
    else if (symbol === '!' && until === undefined) until = frame;
    else throw new LaneError(`lane "${name}": one "^" and one "!" are all it may have, found "${symbol}"`);
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
