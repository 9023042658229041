import type { Alphabet } from './alphabet.js';
import type { Lane, Listening, Mark } from './lane.js';
import { globOf, type MockUse } from './mocks.js';
import type { Asked, Entry, Recording } from './recording.js';

/** A mark of a drawing, or something that a lane received, with what its letter stands for. */
export interface PlayedMark extends Mark {
  /** What the letter stands for; what was received itself; the error; nothing for a completion. */
  readonly value: unknown;
  /** Why it left, where somebody said so. */
  readonly reason?: string;
  /** The action that was received, and who asked for it. */
  readonly asked?: Asked;
}

/** A lane that was drawn, or that received something. */
export interface PlayedLane {
  readonly name: string;
  /** Its text, when it is drawn. */
  readonly drawn?: string;
  /** What is drawn; none when it is not drawn. */
  readonly expected?: readonly PlayedMark[];
  /** What it received; for `in`, what entered. */
  readonly received: readonly PlayedMark[];
  /** It may receive what it likes. */
  readonly ignored: boolean;
}

/** Something that is not as it is drawn. */
export interface PlayProblem {
  /** Empty when it is about no lane. */
  readonly lane: string;
  /** Where in the text of the lane; none when it is not drawn. */
  readonly at?: number;
  /** When, in milliseconds. */
  readonly frame?: number;
  /** One sentence; of a lane that differs, its first difference. */
  readonly text: string;
  /** What is drawn and was not received. */
  readonly missing: readonly PlayedMark[];
  /** What was received and is not drawn. */
  readonly extra: readonly PlayedMark[];
}

/** What happened when a drawing was played. */
export interface MarblePlay {
  /** `in` first, then as drawn, then what only received. */
  readonly lanes: readonly PlayedLane[];
  /** None when everything is as drawn. */
  readonly problems: readonly PlayProblem[];
  /** When the last thing happened, in milliseconds. */
  readonly endedAt: number;
  /** Where the longest drawing ends. */
  readonly length: number;
  /** When the subject was subscribed and left. */
  readonly listening: Listening;
  /** The letters that entered and never left, with when they entered. */
  readonly inFlight: readonly { readonly letter: string; readonly frame: number }[];
  /** How often each mock was asked. */
  readonly mocks: readonly MockUse[];
  /** A line for each received value that has no letter, with the sign it is drawn by. */
  readonly legend: readonly string[];
}

/** What may differ from the drawing without being a problem, and what must be besides. */
export interface Expectations {
  /** Lanes that may receive what they like; a `*` stands for anything. What is drawn is asked for all the same. */
  readonly ignore?: readonly string[];
  /** For a letter that is filtered, failed, released and so on: its reason, or what the reason must match. */
  readonly reasons?: Readonly<Record<string, string | RegExp>>;
  /** The letters of items that are rightly still in flight at the end. */
  readonly inFlight?: string;
  /** How far from its drawing something may happen, in milliseconds: everywhere, or by lane. Defaults to 0. */
  readonly tolerance?: number | Readonly<Record<string, number>>;
  /** Lanes whose letters may come in any order, as long as something comes at each moment that is drawn. */
  readonly unordered?: readonly string[];
}

export interface Played {
  readonly drawn: ReadonlyMap<string, Lane>;
  readonly listening: Listening;
  readonly alphabet: Alphabet;
  readonly recording: Recording;
  readonly inFlight: readonly { readonly letter: string; readonly frame: number }[];
  readonly mocks: readonly MockUse[];
  readonly rest: Rest;
}

/** How things stood when nothing more happened. */
export interface Rest {
  /** Milliseconds since the drawing began. */
  readonly at: number;
  /** No timer was left. */
  readonly asleep: boolean;
  /** What the process was doing besides, as Node calls it. */
  readonly pending: readonly string[];
  /** Where somebody wanted to connect to. */
  readonly refused: readonly string[];
  /** Timers that nobody cleared when the subject was left. */
  readonly leftOver: readonly { readonly setAt: number; readonly delay: number; readonly repeats: boolean }[];
  /** Plugins that ran out of time. */
  readonly timedOut: readonly string[];
}

const name = (mark: Mark | undefined): string => {
  if (mark === undefined) return 'nothing';
  return mark.kind === 'complete' ? 'completion' : mark.kind === 'error' ? 'an error' : mark.symbol;
};

/** One lane: what is drawn, what came, and how exact the drawing is. */
class Comparison {
  private readonly rest: Set<Entry>;
  private readonly pairs = new Map<Mark, Entry>();

  constructor(
    private readonly lane: string,
    private readonly expected: readonly Mark[],
    private readonly received: readonly Entry[],
    private readonly exact: { readonly tolerance: number; readonly unordered: boolean },
  ) {
    this.rest = new Set(received);
    let first = 0; // Before it everything has found its mark: without it long lanes would be searched from their beginning for each mark.
    for (const mark of expected) {
      while (first < received.length && !this.rest.has(received[first]!)) first += 1;
      for (let at = first; at < received.length; at += 1) {
        const entry = received[at]!;
        if (!this.rest.has(entry) || !this.alike(mark, entry)) continue;
        this.rest.delete(entry);
        this.pairs.set(mark, entry);
        break;
      }
    }
  }

  get missing(): readonly Mark[] {
    return this.expected.filter((mark) => !this.pairs.has(mark));
  }

  get extra(): readonly Entry[] {
    return [...this.rest];
  }

  /** The first difference, as a sentence. */
  problem(): { readonly text: string; readonly frame: number; readonly mark: Mark | undefined } | undefined {
    if (this.exact.unordered) return this.anyOrder();
    const compared = this.lane === 'out' ? this.received : this.inOrderOfDrawing();
    for (let at = 0; at < Math.max(this.expected.length, compared.length); at += 1) {
      const want = this.expected[at];
      const got = compared[at];
      if (want !== undefined && got !== undefined && this.alike(want, got)) continue;
      const frame = Math.min(want?.frame ?? Number.POSITIVE_INFINITY, got?.frame ?? Number.POSITIVE_INFINITY);
      const wanted = want?.frame === frame ? name(want) : 'nothing';
      const found = got?.frame === frame ? `${name(got)}${got.reason === undefined ? '' : ` (${got.reason})`}` : 'nothing';
      return { text: `${this.lane}, ${frame} ms: expected ${wanted}, received ${found}`, frame, mark: want };
    }
    return undefined;
  }

  private alike(mark: Mark, entry: Entry): boolean {
    if (mark.kind !== entry.kind || !entry.fits(mark.symbol)) return false;
    return this.exact.unordered || Math.abs(mark.frame - entry.frame) <= this.exact.tolerance;
  }

  /** Lanes other than `out` may list what happens in one millisecond in any order. */
  private inOrderOfDrawing(): readonly Entry[] {
    const frames = new Map<Entry, number>(this.received.map((entry) => [entry, entry.frame]));
    for (const [mark, entry] of this.pairs) frames.set(entry, mark.frame);
    const found = new Set(this.pairs.values());
    return [...this.pairs.values(), ...this.received.filter((entry) => !found.has(entry))].sort((a, b) => frames.get(a)! - frames.get(b)!);
  }

  private anyOrder(): ReturnType<Comparison['problem']> {
    const { missing, extra } = this;
    if (missing.length > 0 || extra.length > 0) {
      const first = missing[0] ?? extra[0]!;
      const list = (marks: readonly Mark[]): string => (marks.length === 0 ? 'nothing else' : marks.map(name).join(', '));
      return {
        text: `${this.lane}, in any order: expected also ${list(missing)}, received also ${list(extra)}`,
        frame: first.frame,
        mark: missing[0],
      };
    }
    const came = this.received.map(({ frame }) => frame).sort((a, b) => a - b);
    const at = this.expected.findIndex(({ frame }, index) => Math.abs(frame - came[index]!) > this.exact.tolerance);
    if (at < 0) return undefined;
    const mark = this.expected[at]!;
    return {
      text: `${this.lane}, ${mark.frame} ms: expected one of its letters, the next came at ${came[at]} ms`,
      frame: mark.frame,
      mark,
    };
  }
}

/** Compares what is drawn with what happened. */
export function judge({ drawn, listening, alphabet, recording, inFlight, mocks, rest }: Played, expectations: Expectations): MarblePlay {
  const ignored = (expectations.ignore ?? []).map(globOf);
  const { tolerance = 0 } = expectations;
  const meant = (mark: Mark): PlayedMark => ({ ...mark, value: mark.kind === 'next' ? alphabet.valueOf(mark.symbol) : undefined });
  const lanes: PlayedLane[] = [];
  const problems: PlayProblem[] = [];
  const differences: PlayProblem[] = [];
  for (const lane of new Set([...(drawn.has('in') ? ['in'] : []), ...drawn.keys(), ...recording.names()])) {
    const expected = drawn.get(lane);
    // What is drawn is asked for, whatever a pattern lets pass besides.
    const free = expected === undefined && ignored.some((fits) => fits(lane));
    if (lane === 'in') {
      const { drawn: text, marks } = expected!;
      lanes.push({ name: lane, drawn: text, expected: marks.map(meant), received: received(recording.of(lane)), ignored: false });
      continue;
    }
    const entries = recording.of(lane).filter(({ implied }) => expected !== undefined || !implied);
    if (expected === undefined && entries.length === 0) continue;
    lanes.push({
      name: lane,
      ...(expected === undefined ? {} : { drawn: expected.drawn, expected: expected.marks.map(meant) }),
      received: received(entries),
      ignored: free,
    });
    if (free) continue;
    const comparison = new Comparison(lane, expected?.marks ?? [], entries, {
      tolerance: typeof tolerance === 'number' ? tolerance : (tolerance[lane] ?? 0),
      unordered: expectations.unordered?.includes(lane) ?? false,
    });
    const found = comparison.problem();
    if (found !== undefined) {
      const at = found.mark?.at ?? expected?.drawn.length;
      differences.push({
        lane,
        ...(at === undefined ? {} : { at }),
        frame: found.frame,
        text: found.text,
        missing: comparison.missing.map(meant),
        extra: received(comparison.extra),
      });
    }
    for (const entry of entries) {
      const text = reasonDiffers(lane, entry, expectations.reasons ?? {});
      if (text === undefined) continue;
      const at = expected?.marks.find(({ symbol }) => symbol === entry.symbol)?.at;
      problems.push({ lane, ...(at === undefined ? {} : { at }), frame: entry.frame, text, missing: [], extra: [] });
      break;
    }
  }
  problems.push(...withoutReason(recording, expectations.reasons ?? {}));
  problems.push(...stillThere(drawn.get('in'), inFlight, expectations.inFlight ?? '', rest));
  problems.push(...differences);
  return {
    lanes,
    problems: [...problems, ...aboutRest(rest, problems.length > 0)],
    endedAt: Math.max(0, ...lanes.flatMap(({ received: marks }) => marks.map(({ frame }) => frame))),
    length: Math.max(0, ...[...drawn.values()].map((lane) => lane.length)),
    listening,
    inFlight,
    mocks,
    legend: alphabet.legend(),
  };
}

/** Entries as data, those of one moment as a group. */
function received(entries: readonly Entry[]): readonly PlayedMark[] {
  let groups = -1;
  return entries.map(({ frame, kind, symbol, value, reason, asked }, at) => {
    const before = entries[at - 1]?.frame === frame;
    const grouped = before || entries[at + 1]?.frame === frame;
    if (grouped && !before) groups += 1;
    return {
      frame,
      kind,
      symbol,
      value,
      ...(grouped ? { group: groups } : {}),
      ...(reason === undefined ? {} : { reason }),
      ...(asked === undefined ? {} : { asked }),
    };
  });
}

function reasonDiffers(lane: string, { kind, symbol, reason }: Entry, reasons: NonNullable<Expectations['reasons']>): string | undefined {
  const wanted = kind === 'next' ? reasons[symbol] : undefined;
  if (wanted === undefined || reason === undefined) return undefined;
  if (typeof wanted === 'string' ? wanted === reason : wanted.test(reason)) return undefined;
  return `${lane}: ${symbol} left for the reason "${reason}", expected ${typeof wanted === 'string' ? `"${wanted}"` : String(wanted)}`;
}

/** Letters of which a reason was expected, and none was ever said: nothing was compared with it. */
function withoutReason(recording: Recording, reasons: NonNullable<Expectations['reasons']>): readonly PlayProblem[] {
  const entries = recording.names().flatMap((lane) => recording.of(lane));
  return Object.entries(reasons)
    .filter(([letter]) => !entries.some(({ symbol, reason }) => symbol === letter && reason !== undefined))
    .map(([letter, wanted]) => {
      const text = `${letter} did not leave for a reason, expected ${typeof wanted === 'string' ? `"${wanted}"` : String(wanted)}`;
      return { lane: '', text, missing: [], extra: [] };
    });
}

/** Who is in flight at the end and was not expected to be, and the other way round. */
function stillThere(
  source: Lane | undefined,
  inFlight: Played['inFlight'],
  expected: string,
  { asleep, pending, at: restsAt }: Rest,
): readonly PlayProblem[] {
  const rightly = Array.from(expected);
  const real = pending.length === 0 ? '' : ` (the process is at ${pending.join(', ')})`;
  const why = asleep
    ? `, and after ${restsAt} ms nothing is left that could: it was dropped, or awaits something that is neither a timer nor a promise of this test${real}`
    : '';
  const problems: PlayProblem[] = [];
  const tell = (text: string, frame: number | undefined, letter: string): void => {
    const at = source?.marks.find((mark) => mark.symbol === letter && (frame === undefined || mark.frame === frame))?.at;
    problems.push({
      lane: 'in',
      ...(at === undefined ? {} : { at }),
      ...(frame === undefined ? {} : { frame }),
      text,
      missing: [],
      extra: [],
    });
  };
  for (const { letter, frame } of inFlight) {
    const at = rightly.indexOf(letter);
    if (at >= 0) rightly.splice(at, 1);
    else tell(`${letter} entered at ${frame} ms and never left: nobody settled, failed or released it${why}`, frame, letter);
  }
  for (const letter of rightly) tell(`${letter} was expected to be in flight at the end and was not`, undefined, letter);
  return problems;
}

/** What was left behind, or was asked of the world outside. */
function aboutRest({ refused, leftOver, timedOut }: Rest, differs: boolean): readonly PlayProblem[] {
  const texts = [
    ...refused.map((place) => `a connection to ${place} was asked for while time is virtual: answer the action by a mock`),
    ...leftOver.map(
      ({ setAt, delay, repeats }) =>
        `a timer is left over, set at ${setAt} ms ${repeats ? `to fire every ${delay} ms` : `for ${delay} ms later`}: nobody cleared it when the subject was left (or another test set it that runs at the same time)`,
    ),
    ...(differs ? timedOut : []).map(
      (plugin) =>
        `plugin ${plugin} did not answer in its time: it awaits something that is neither a timer nor a promise of this test, or too long a timer`,
    ),
  ];
  return texts.map((text) => ({ lane: '', text, missing: [], extra: [] }));
}
