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

/** Columns are made from left to right; a lane shows its own signs in them, and between these what the columns hold. */
function drawRows(lanes: readonly (readonly Mark[])[]): string[] {
  const frames = [...new Set(lanes.flatMap((marks) => marks.map(({ frame }) => frame)))].sort((a, b) => a - b);
  const columns: string[] = [];
  const rows = lanes.map(() => [] as string[]);
  let before = Math.min(0, frames[0] ?? 0);
  let at = 0;
  for (const frame of frames) {
    const tokens = lanes.map((marks) => tokenOf(marks.filter((mark) => mark.frame === frame)));
    const wanted =
      at + passing(frame - before, columns.length - at, columns, Math.max(columns.length, ...rows.map(({ length }) => length)) - at);
    const free = Math.max(wanted, ...tokens.map((token, lane) => (token.length === 0 ? 0 : rows[lane]!.length)));
    while (columns.length < free) columns.push(' ');
    tokens.forEach((token, lane) => {
      const row = rows[lane]!;
      if (token.length === 0) return;
      while (row.length < free) row.push(columns[row.length]!);
      row.push(...token);
    });
    at = free;
    before = frame;
  }
  return rows.map((row) => row.join(''));
}

/** Adds the columns of a stretch of time, of which `made` are there already; answers how many columns it takes. */
function passing(milliseconds: number, made: number, columns: string[], taken: number): number {
  const start = columns.length - made;
  const busy = Math.max(1, taken);
  if (milliseconds - busy > LONG_PAUSE) {
    while (columns.length < start + (start === 0 && taken === 0 ? 0 : busy)) columns.push('-');
    columns.push(...`${columns.length === 0 ? '' : ' '}${rounded(milliseconds - (columns.length - start))}ms `);
    return columns.length - start;
  }
  const whole = Math.ceil(milliseconds);
  while (columns.length < start + whole) columns.push('-');
  return whole;
}

function tokenOf(marks: readonly Mark[]): readonly string[] {
  const symbols = marks.map(({ symbol }) => symbol);
  return marks.length > 1 ? ['(', ...symbols, ')'] : symbols;
}

function rounded(milliseconds: number): string {
  return String(Math.round(milliseconds * 1000) / 1000);
}
