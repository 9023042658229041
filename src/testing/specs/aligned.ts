import type { Mark } from '../lane.js';

/** A lane to draw under others. */
export interface AlignedRow {
  readonly label: string;
  readonly marks: readonly Mark[];
}

const LONG_PAUSE = 20;

/**
 * Draws lanes one under the other on one scale: what happens at one moment stands in one column. A pause that is long in all of them is written as
 * a duration; where a group needs more columns than there are milliseconds, the others wait.
 */
export function alignedLanes(rows: readonly AlignedRow[], indent = ''): string[] {
  const width = Math.max(0, ...rows.map(({ label }) => label.length));
  const drawn = drawRows(rows.map(({ marks }) => marks));
  return rows.map(({ label }, at) => `${indent}${label.padEnd(width)}  ${drawn[at]!}`.trimEnd());
}

function drawRows(lanes: readonly (readonly Mark[])[]): string[] {
  const frames = [...new Set(lanes.flatMap((marks) => marks.map(({ frame }) => frame)))].sort((a, b) => a - b);
  const texts = lanes.map(() => '');
  const kept = lanes.map(() => 0);
  let now = Math.min(0, frames[0] ?? 0);
  let owed = 0;
  for (const [index, frame] of frames.entries()) {
    const gap = frame - now - owed;
    if (gap > LONG_PAUSE)
      append(
        texts,
        texts.map((text) => `${text === '' || text.endsWith(' ') ? '' : ' '}${rounded(gap)}ms `),
      );
    else if (gap > 0)
      append(
        texts,
        texts.map(() => '-'.repeat(Math.ceil(gap))),
      );
    level(texts);
    const tokens = lanes.map((marks) => tokenOf(marks.filter((mark) => mark.frame === frame)));
    const next = frames[index + 1];
    const widest = Math.max(...tokens.map((token) => Array.from(token).length));
    const room = next === undefined ? widest : Math.max(1, Math.min(widest, Math.ceil(next - frame)));
    tokens.forEach((token, at) => {
      const own = Array.from(token).length;
      texts[at] += own === 0 ? '-'.repeat(room) : token + '-'.repeat(Math.max(0, room - own));
      if (own > 0) kept[at] = texts[at]!.length - Math.max(0, room - own);
    });
    level(texts);
    now = frame;
    owed = room;
  }
  return texts.map((text, at) => (kept[at] === 0 ? '' : text.slice(0, kept[at])));
}

function append(texts: string[], pieces: readonly string[]): void {
  pieces.forEach((piece, at) => {
    texts[at] += piece;
  });
}

/** Lanes that are behind wait for the longest: a space is no time. */
function level(texts: string[]): void {
  const longest = Math.max(0, ...texts.map((text) => Array.from(text).length));
  texts.forEach((text, at) => {
    texts[at] = text + ' '.repeat(longest - Array.from(text).length);
  });
}

function tokenOf(marks: readonly Mark[]): string {
  const symbols = marks.map(({ symbol }) => symbol).join('');
  return marks.length > 1 ? `(${symbols})` : symbols;
}

function rounded(milliseconds: number): string {
  return String(Math.round(milliseconds * 1000) / 1000);
}
