import type { MarblePlay } from '../play.js';

/** What a lane's mark shows: an item, the end, or an error. */
export interface DrawnMark {
  /** Milliseconds; what was there before anybody listened has a negative one. */
  readonly frame: number;
  readonly kind: 'next' | 'error' | 'complete';
  /** The letter in the marble. */
  readonly symbol: string;
}

export interface DrawnLane {
  readonly name: string;
  readonly marks: readonly DrawnMark[];
}

/** What a picture shows; a play can be made into one, and so can anything else that happens in lanes. */
export interface Drawing {
  /** What the case says; the picture's name for those who do not see it. */
  readonly title: string;
  /** What stands between what enters and what comes of it: an operator, a plugin, a file of rules. */
  readonly subject?: string;
  /** `in` first; the others follow in their order. */
  readonly lanes: readonly DrawnLane[];
  /** When somebody listens, where that is not the whole time. */
  readonly listening?: { readonly from: number; readonly until: number };
  /** When a worker is told to finish what it has and take nothing more. */
  readonly drainAt?: number;
  /** What letters stand for, in a few words each. */
  readonly letters?: Readonly<Record<string, string>>;
}

export interface DrawPlayOptions {
  readonly title: string;
  readonly subject?: string;
  readonly letters?: Readonly<Record<string, string>>;
}

/** A play as it is drawn; what is ignored and was not drawn is left out. */
export function drawingOf(play: MarblePlay, { title, subject, letters }: DrawPlayOptions): Drawing {
  const { from, until, drainAt } = play.listening;
  const lanes = play.lanes
    .filter(({ expected, ignored }) => expected !== undefined || !ignored)
    .map(({ name, expected, received }) => {
      const marks = (expected ?? received).map(({ frame, kind, symbol }) => ({ frame, kind, symbol }));
      return { name, marks: marks.toSorted((a, b) => a.frame - b.frame) };
    });
  return {
    title,
    lanes,
    ...(subject === undefined ? {} : { subject }),
    ...(letters === undefined ? {} : { letters }),
    ...(from === 0 && until === Number.POSITIVE_INFINITY ? {} : { listening: { from, until } }),
    ...(drainAt === Number.POSITIVE_INFINITY ? {} : { drainAt }),
  };
}

/** The drawing read aloud: a sentence for each lane. */
export function timelineText({ lanes, listening, drainAt, letters = {} }: Drawing): string {
  const sentences = lanes.map(({ name, marks }) => {
    if (marks.length === 0) return `${name}: nothing.`;
    const moments = new Map<number, string[]>();
    for (const mark of marks) moments.set(mark.frame, [...(moments.get(mark.frame) ?? []), said(mark)]);
    return `${name}: ${[...moments].map(([frame, what]) => `${list(what)} at ${frame} ms`).join(', ')}.`;
  });
  if (listening !== undefined) {
    const left = Number.isFinite(listening.until) ? `, left at ${listening.until} ms` : '';
    sentences.push(`Subscribed at ${listening.from} ms${left}.`);
  }
  if (drainAt !== undefined) sentences.push(`It drains from ${drainAt} ms on.`);
  for (const [letter, meaning] of Object.entries(letters)) sentences.push(`${letter} is ${meaning}.`);
  return sentences.join(' ');
}

function said({ kind, symbol }: DrawnMark): string {
  return kind === 'next' ? symbol : kind === 'complete' ? 'the end' : 'an error';
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
