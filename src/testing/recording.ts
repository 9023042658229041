import type { PlannedAction } from '../plugin/index.js';
import type { Alphabet } from './alphabet.js';
import type { Mark } from './lane.js';

/** An action, and the plugin that asked for it. */
export type Asked = Pick<PlannedAction, 'action' | 'plugin'>;

/** Something a lane received. */
export interface Entry extends Mark {
  /** What it was: the value that came out, the content of the action, the item that left, the error. */
  readonly value: unknown;
  /** Whether it is what the letter of an expected lane stands for. */
  fits(letter: string): boolean;
  /** The reason or the error's text, where there is one. */
  readonly reason: string | undefined;
  /** It follows from the drawing of another lane, so it is unexpected only where its own lane is drawn and differs. */
  readonly implied: boolean;
  /** Where it is an action. */
  readonly asked?: Asked | undefined;
}

/** What each lane received. Lanes come into being when something is received: a new kind of lane needs only somebody who writes to it. */
export class Recording {
  private readonly lanes = new Map<string, Entry[]>();
  private closed = false;

  constructor(
    private readonly alphabet: Alphabet,
    private readonly frame: () => number,
  ) {}

  /** What is received from now on is nobody's business: the run is over and its subject is being torn down. */
  close(): void {
    this.closed = true;
  }

  /** A lane received a value. */
  value(lane: string, value: unknown, implied = false): void {
    this.add(lane, {
      kind: 'next',
      symbol: this.alphabet.letterOf(value),
      value,
      fits: (letter) => this.alphabet.means(letter, value),
      reason: undefined,
      implied,
    });
  }

  /** A lane received something of the item with this letter: it left, or an action was asked for while it was worked on. */
  item(
    lane: string,
    letter: string,
    { reason, implied = false }: { readonly reason?: string | undefined; readonly implied?: boolean } = {},
  ): Entry | undefined {
    const value = this.alphabet.valueOf(letter);
    return this.add(lane, { kind: 'next', symbol: letter, value, fits: (drawn) => drawn === letter, reason, implied });
  }

  /** An item asked for an action: either the letter of its content or that of the item may be drawn. */
  action(lane: string, letter: string, content: unknown, asked?: Asked): void {
    const named = this.alphabet.letterOf(content);
    this.add(lane, {
      kind: 'next',
      symbol: this.alphabet.has(named) ? named : letter,
      value: content,
      fits: (drawn) => (this.alphabet.has(drawn) && drawn !== letter ? this.alphabet.means(drawn, content) : drawn === letter),
      reason: undefined,
      implied: false,
      asked,
    });
  }

  end(lane: string, kind: 'complete' | 'error', error?: unknown, reason?: string): void {
    this.add(lane, {
      kind,
      symbol: kind === 'complete' ? '|' : '#',
      value: error,
      fits: () => true,
      reason,
      implied: kind === 'complete',
    });
  }

  /** Takes back what something of the same moment has overtaken. */
  retract(lane: string, entry: Entry): void {
    const received = this.lanes.get(lane);
    const at = received?.indexOf(entry) ?? -1;
    if (at >= 0) received!.splice(at, 1);
  }

  names(): readonly string[] {
    return [...this.lanes.keys()];
  }

  of(lane: string): readonly Entry[] {
    return this.lanes.get(lane) ?? [];
  }

  private add(lane: string, entry: Omit<Entry, 'frame'>): Entry | undefined {
    if (this.closed) return undefined;
    const received = this.lanes.get(lane);
    const complete = { ...entry, frame: this.frame() };
    if (received === undefined) this.lanes.set(lane, [complete]);
    else received.push(complete);
    return complete;
  }
}
