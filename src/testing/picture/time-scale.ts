import type { Drawing } from './drawing.js';

/** Where moments stand, and where the scale is cut. */
export interface TimeScale {
  readonly times: readonly number[];
  x(time: number): number;
  /** Pauses that are drawn shorter than they are, by the middle of each. */
  readonly cuts: readonly { readonly x: number; readonly ms: number }[];
  /** Where the last moment stands. */
  readonly end: number;
}

export interface TimeScaleOptions {
  /** Where the first millisecond stands. */
  readonly left: number;
  /** How far the last moment may stand from the first, where that can be. */
  readonly room: number;
  /** What two marks of one lane need between their middles. */
  readonly apart: number;
}

/** Pixels of a millisecond: as many as there is room for, of these. */
const UNITS = [26, 22, 18, 15, 12, 10];
/** A pause of more milliseconds is cut. */
const LONGEST_PAUSE = 6;
const CUT = 54;

/** Lays time out: in proportion while there is room and nothing falls on another, with long pauses cut. */
export function timeScale(drawing: Drawing, { left, room, apart }: TimeScaleOptions): TimeScale {
  const { from = 0, until = Number.POSITIVE_INFINITY } = drawing.listening ?? {};
  const others = [from, until, drawing.drainAt ?? Number.POSITIVE_INFINITY].filter((time) => time > 0 && Number.isFinite(time));
  const times = [...new Set([...drawing.lanes.flatMap(({ marks }) => marks.map(({ frame }) => frame)), ...others])].sort((a, b) => a - b);
  const first = Math.min(0, times[0] ?? 0);
  const steps: { readonly time: number; readonly gap: number; readonly cut: boolean; readonly least: number }[] = [];
  let before = first;
  for (const time of times) {
    const gap = time - before;
    // What stands in the frame itself is not moved away from it.
    if (gap > 0) steps.push({ time, gap, cut: gap > LONGEST_PAUSE, least: least(drawing, before, time, apart) });
    before = time;
  }
  const width = (unit: number, { gap, cut, least: needed }: (typeof steps)[number]): number => Math.max(needed, cut ? CUT : gap * unit);
  const total = (unit: number): number => steps.reduce((sum, step) => sum + width(unit, step), 0);
  const unit = UNITS.find((one) => total(one) <= room) ?? UNITS.at(-1)!;
  const places = new Map<number, number>([[first, left]]);
  const cuts: { x: number; ms: number }[] = [];
  let x = left;
  for (const step of steps) {
    const wide = width(unit, step);
    if (step.cut) cuts.push({ x: x + wide / 2, ms: step.gap });
    x += wide;
    places.set(step.time, x);
  }
  return { times, cuts, end: x, x: (time) => places.get(time) ?? left };
}

/** Two marks of one lane must not fall on another. */
function least({ lanes }: Drawing, before: number, time: number, apart: number): number {
  const both = lanes.some(({ marks }) => marks.some(({ frame }) => frame === before) && marks.some(({ frame }) => frame === time));
  return both ? apart : apart * 0.6;
}
