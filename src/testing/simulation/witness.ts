import type { Outcome } from '../../../operators/index.js';
import type { DrawnMessage } from './scenario.js';

/** Something that happened, for traces and drawings. */
export interface Happening {
  /** Milliseconds since the run began. */
  readonly at: number;
  /** The lane it is drawn in. */
  readonly lane: string;
  /** One sign for the drawing: a message's letter, an offset, `^`, `!`. */
  readonly sign: string;
  /** The sentence of the trace. */
  readonly text: string;
}

/** Where a record lies. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What is known of one hand-out of a record to one member. */
export interface HandOut {
  /** When, in milliseconds since the run began. */
  readonly at: number;
  readonly process: string;
  readonly group: string;
  readonly place: Place;
  readonly letter: string;
  /** The door by which its claim ended, before that was durable. */
  ending: Outcome | undefined;
  reason: string | undefined;
  /** The door by which it left, once durable. */
  left: Outcome | undefined;
  /** What the worker said of it. */
  told: Outcome | undefined;
}

/** The doors that let progress pass. */
export type FinalDoor = 'delivered' | 'filtered' | 'dead_lettered';

export const partitionName = (group: string, { topic, partition }: Pick<Place, 'topic' | 'partition'>): string =>
  `${group} ${topic}/${partition}`;

/** What happened in a run, and the first thing that must not have happened. It knows the messages and every record made of them. */
export class Witness {
  readonly happenings: Happening[] = [];
  private violation: { readonly rule: string; readonly sentence: string } | undefined;
  private readonly letters = new Map<string, string>();
  private readonly byLetter: ReadonlyMap<string, DrawnMessage>;

  constructor(
    messages: readonly DrawnMessage[],
    /** Milliseconds since the run began. */
    readonly now: () => number,
  ) {
    this.byLetter = new Map(messages.map((message) => [message.letter, message]));
  }

  get broken(): { readonly rule: string; readonly sentence: string } | undefined {
    return this.violation;
  }

  happened(lane: string, sign: string, text: string): void {
    this.happenings.push({ at: this.now(), lane, sign, text });
  }

  /** A rule is broken. The first one counts: what follows may follow from it. */
  breaks(rule: string, sentence: string): void {
    this.violation ??= { rule, sentence: `${this.now()} ms: ${sentence}` };
  }

  /** A record that lies at a place is, or was made of, a message. */
  lies(place: Place, letter: string): void {
    this.letters.set(nameOf(place), letter);
  }

  letterAt(place: Place): string {
    return this.letters.get(nameOf(place)) ?? '?';
  }

  message(letter: string): DrawnMessage | undefined {
    return this.byLetter.get(letter);
  }

  get trace(): string {
    return this.happenings.map(({ at, text }) => `${String(at).padStart(6)} ms  ${text}`).join('\n');
  }
}

function nameOf({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}@${offset}`;
}
