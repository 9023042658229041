import type { Alphabet } from './alphabet.js';
import { drawLane, type Lane, type Mark } from './lane.js';
import type { Entry, Recording } from './recording.js';

/** A drawing and what happened differ, or the subject did not come to an end. The message shows both, lane under lane. */
export class MarblesError extends Error {
  override readonly name = 'MarblesError';
}

export interface Expectation {
  readonly drawn: ReadonlyMap<string, Lane>;
  readonly ignore: ReadonlySet<string>;
  /** What the reason of a letter's end must be. */
  readonly reasons: Readonly<Record<string, string | RegExp>>;
  /** Letters that must still be in flight at the end. */
  readonly inFlight: readonly string[];
}

interface Difference {
  readonly lane: string;
  readonly expected: readonly Mark[];
  readonly received: readonly Entry[];
  readonly sentence: string;
}

const name = (mark: Mark | undefined): string => {
  if (mark === undefined) return 'nothing';
  return mark.kind === 'complete' ? 'completion' : mark.kind === 'error' ? 'an error' : mark.symbol;
};

/** Lanes other than `out` may list what happens in one millisecond in any order. */
function inOrderOfDrawing(expected: readonly Mark[], received: readonly Entry[]): readonly Entry[] {
  const rest = [...received];
  const sorted: Entry[] = [];
  for (const mark of expected) {
    const at = rest.findIndex((entry) => entry.frame === mark.frame && entry.kind === mark.kind && entry.fits(mark.symbol));
    if (at >= 0) sorted.push(...rest.splice(at, 1));
  }
  const found = new Set(sorted);
  const missing = received.filter((entry) => !found.has(entry));
  return [...sorted, ...missing].sort((a, b) => a.frame - b.frame);
}

function differenceOf(lane: string, expected: readonly Mark[], received: readonly Entry[]): Difference | undefined {
  for (let at = 0; at < Math.max(expected.length, received.length); at += 1) {
    const want = expected[at];
    const got = received[at];
    if (want !== undefined && got !== undefined && want.frame === got.frame && want.kind === got.kind && got.fits(want.symbol)) continue;
    const frame = Math.min(want?.frame ?? Number.POSITIVE_INFINITY, got?.frame ?? Number.POSITIVE_INFINITY);
    const wanted = want?.frame === frame ? name(want) : 'nothing';
    const found = got?.frame === frame ? `${name(got)}${got.reason === undefined ? '' : ` (${got.reason})`}` : 'nothing';
    return { lane, expected, received, sentence: `${lane}, ${frame} ms: expected ${wanted}, received ${found}` };
  }
  return undefined;
}

function reasonsDiffer(lane: string, received: readonly Entry[], reasons: Expectation['reasons']): string | undefined {
  for (const { symbol, reason, kind } of received) {
    const wanted = kind === 'next' ? reasons[symbol] : undefined;
    if (wanted === undefined || reason === undefined) continue;
    if (typeof wanted === 'string' ? wanted === reason : wanted.test(reason)) continue;
    return `${lane}: ${symbol} left for the reason "${reason}", expected ${typeof wanted === 'string' ? `"${wanted}"` : String(wanted)}`;
  }
  return undefined;
}

/** Compares; answers the message of a failure, or nothing. */
export function verdict(
  { drawn, ignore, reasons, inFlight }: Expectation,
  recording: Recording,
  alphabet: Alphabet,
  left: ReadonlyMap<string, number>,
): string | undefined {
  const sentences: string[] = [];
  const differences: Difference[] = [];
  const lanes = new Set([...drawn.keys(), ...recording.names()]);
  lanes.delete('in');
  for (const lane of lanes) {
    if (ignore.has(lane)) continue;
    const expected = drawn.get(lane);
    const received = recording.of(lane).filter(({ implied }) => expected !== undefined || !implied);
    const compared = lane === 'out' || expected === undefined ? received : inOrderOfDrawing(expected.marks, received);
    const difference = differenceOf(lane, expected?.marks ?? [], compared);
    if (difference !== undefined) differences.push(difference);
    const reason = reasonsDiffer(lane, received, reasons);
    if (reason !== undefined) sentences.push(reason);
  }
  const expectedLeft = new Set(inFlight);
  for (const [letter, frame] of left) {
    if (!expectedLeft.delete(letter))
      sentences.push(`${letter} entered at ${frame} ms and never left: nobody settled, failed or released it`);
  }
  for (const letter of expectedLeft) sentences.push(`${letter} was expected to be in flight at the end and was not`);
  if (sentences.length === 0 && differences.length === 0) return undefined;
  return [
    ...sentences,
    ...differences.map(({ sentence }) => sentence),
    '',
    ...picture(drawn, differences, recording),
    ...alphabet.legend(),
  ].join('\n');
}

/** All lanes, those that differ twice: as drawn and as received. */
function picture(drawn: ReadonlyMap<string, Lane>, differences: readonly Difference[], recording: Recording): readonly string[] {
  const rows: (readonly [label: string, lane: string])[] = [];
  const length = Math.max(0, ...[...drawn.values()].map((lane) => lane.length));
  const differing = new Map(differences.map((difference) => [difference.lane, difference]));
  for (const lane of new Set([...drawn.keys(), ...differing.keys()])) {
    const difference = differing.get(lane);
    const expected = drawn.get(lane);
    if (difference === undefined) {
      rows.push([lane, drawLane(expected?.marks ?? recording.of(lane), length)]);
    } else {
      rows.push([`${lane} expected`, drawLane(difference.expected, length)]);
      rows.push([`${lane} received`, drawLane(difference.received, length)]);
    }
  }
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, lane]) => `  ${label.padEnd(width)}  ${lane}`);
}
