import type { Happening } from './witness.js';

/** What happened in one lane at one moment. */
interface Column {
  readonly at: number;
  /** By lane: the signs, in brackets when there are several. */
  readonly cells: ReadonlyMap<string, string>;
  readonly width: number;
}

/** A pause of more columns than this is written as a time. */
const LONG_PAUSE = 12;

/**
 * Draws lanes under each other so that what happens at one time stands in one column: a group makes its column as wide as it is for all lanes, a long
 * pause is written as a time in each of them. Lanes come in the order in which they first have something, those named in `first` before them.
 */
export function alignedLanes(happenings: readonly Happening[], first: readonly string[] = []): readonly string[] {
  const found = new Set(happenings.map(({ lane }) => lane));
  const lanes = [...new Set([...first.filter((lane) => found.has(lane)), ...found])];
  const columns = columnsOf(happenings);
  const rows = new Map(lanes.map((lane) => [lane, '']));
  let frame = 0;
  for (const { at, cells, width } of columns) {
    const gap = at - frame;
    const pause = gap > LONG_PAUSE ? ` ${gap}ms ` : '-'.repeat(Math.max(0, gap));
    for (const lane of lanes) {
      const cell = cells.get(lane) ?? '';
      rows.set(lane, `${rows.get(lane)}${pause}${cell.padEnd(width, '-')}`);
    }
    // A wide column stands for one millisecond: what follows is drawn behind it, not where RxJS' marbles would have it.
    frame = at + 1;
  }
  const label = Math.max(0, ...lanes.map((lane) => lane.length));
  return lanes.map((lane) => `${lane.padEnd(label)}  ${rows.get(lane)}`);
}

function columnsOf(happenings: readonly Happening[]): readonly Column[] {
  const moments = new Map<number, Map<string, string>>();
  for (const { at, lane, sign } of happenings) {
    const cells = moments.get(at) ?? new Map<string, string>();
    moments.set(at, cells);
    cells.set(lane, `${cells.get(lane) ?? ''}${sign}`);
  }
  return [...moments]
    .sort(([a], [b]) => a - b)
    .map(([at, signs]) => {
      const cells = new Map([...signs].map(([lane, text]) => [lane, text.length > 1 ? `(${text})` : text]));
      return { at, cells, width: Math.max(...[...cells.values()].map(({ length }) => length)) };
    });
}
