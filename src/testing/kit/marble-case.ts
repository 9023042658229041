import { inspect } from 'node:util';
import { FUSED } from '../../plugin/definition.js';
import { chain, type Context, type PluginOperator } from '../../plugin/index.js';
import { globOf, type Mocks } from '../mocks.js';
import { LaneError } from '../lane.js';
import { type MarblesOptions, type MarbleSubject, playMarbles } from '../marbles.js';
import type { MarblePlay, PlayedMark, PlayProblem } from '../play.js';
import { MarblesError, tell } from '../report.js';

/** What letters stand for: messages, or whole contexts (`xactContext`). */
export type Letters = Readonly<Record<string, unknown>>;

/** What must hold of each thing that a lane received; `false` fails the case, and so does what it throws. */
export type Check = (content: never, letter: string) => unknown;

/** Calls of a mock, once the case was played. */
export interface MockCalls {
  readonly calls: readonly { readonly at: number; readonly body: unknown }[];
}

/** A case that is being written. */
export class MarbleCase {
  private drawn: string | undefined;
  private letters: Letters = {};
  private readonly mocks: Record<string, string | readonly string[]> = {};
  private readonly asked = new Set<string>();
  private readonly handles: { readonly lane: (name: string) => boolean; readonly calls: { at: number; body: unknown }[] }[] = [];
  private readonly expecting: Expecting[] = [];

  constructor(private readonly options: MarblesOptions = {}) {}

  /** Plugins as the chain that a stage runs. */
  chain<C extends Context>(...plugins: readonly PluginOperator<C>[]): PluginOperator<C> {
    return chain(...plugins);
  }

  /** What enters. */
  in(drawn: string, letters: Letters = {}): this {
    if (this.drawn !== undefined) throw new LaneError('the lane "in" is drawn twice', 'in');
    this.drawn = drawn;
    this.letters = { ...this.letters, ...letters };
    return this;
  }

  /** What an action is answered: see `Mocks`. */
  mock(action: string, answers: string | readonly string[]): MockCalls {
    this.mocks[action] = answers;
    const handle = { lane: globOf(action), calls: [] };
    this.handles.push(handle);
    return handle;
  }

  /** Begins what is expected of a subject. */
  expect(subject: MarbleSubject, options: MarblesOptions = {}): Expecting {
    const expecting = new Expecting((lanes, letters, more) => this.play(subject, lanes, letters, { ...this.options, ...options, ...more }));
    this.expecting.push(expecting);
    return expecting;
  }

  /** Plays what was expected and not played yet. */
  async finish(): Promise<void> {
    if (this.expecting.length === 0) throw new MarblesError('nothing is expected in this case: t.expect(subject) says what should happen');
    for (const expecting of this.expecting) await expecting.nothingElse();
    const idle = Object.keys(this.mocks).filter((mock) => !this.asked.has(mock));
    if (idle.length > 0)
      throw new MarblesError(`nobody asked ${idle.map((mock) => `"${mock}"`).join(', ')}: a mock that answers nothing says nothing`);
  }

  private async play(subject: MarbleSubject, lanes: Letters, letters: Letters, options: MarblesOptions): Promise<MarblePlay> {
    const entering = { ...this.letters, ...letters };
    const contexts = Object.values(entering).some(isContext);
    const mocks: Mocks = { ...options.mocks, ...this.mocks };
    const play = await playMarbles(
      subject,
      { ...(this.drawn === undefined ? {} : { in: this.drawn }), ...(lanes as Record<string, string>) },
      {
        ...(contexts ? { context: (_: unknown, letter: string) => contextOf(entering[letter]) } : FUSED in subject ? { context: {} } : {}),
        ...options,
        values: Object.fromEntries(Object.entries(entering).map(([letter, value]) => [letter, isContext(value) ? value.message : value])),
        ...(Object.keys(mocks).length === 0 ? {} : { mocks }),
      },
    );
    for (const { mock, asked } of play.mocks) if (asked > 0) this.asked.add(mock);
    for (const { lane, calls } of this.handles) {
      for (const { name, received } of play.lanes) {
        if (lane(name)) calls.push(...received.map(({ frame, value }) => ({ at: frame, body: value })));
      }
    }
    return play;
  }
}

function isContext(value: unknown): value is Context {
  return typeof value === 'object' && value !== null && 'message' in value && 'stage' in value && 'event_id' in value;
}

function contextOf(value: unknown): Partial<Context> {
  return isContext(value) ? value : {};
}

type Play = (lanes: Letters, letters: Letters, options: MarblesOptions) => Promise<MarblePlay>;

/** What is expected of a subject, lane by lane. Lanes that are not named must receive nothing. */
export class Expecting {
  private readonly lanes: Record<string, string> = {};
  private letters: Letters = {};
  private readonly checks: (readonly [lane: string, check: Check])[] = [];
  private options: MarblesOptions = {};
  private played: Promise<MarblePlay> | undefined;

  constructor(private readonly play: Play) {}

  /** What comes out. */
  out(drawn: string, of?: Letters | Check): this {
    return this.lane('out', drawn, of);
  }
  filtered(drawn: string, reason?: string | RegExp): this {
    return this.door('filtered', drawn, reason);
  }
  failed(drawn: string, reason?: string | RegExp): this {
    return this.door('failed', drawn, reason);
  }
  delivered(drawn: string): this {
    return this.door('delivered', drawn);
  }
  retried(drawn: string, reason?: string | RegExp): this {
    return this.door('retried', drawn, reason);
  }
  deadLettered(drawn: string, reason?: string | RegExp): this {
    return this.door('dead_lettered', drawn, reason);
  }
  released(drawn: string, reason?: string | RegExp): this {
    return this.door('released', drawn, reason);
  }
  /** What is published to a topic: letters of items, or of the payloads that the third argument lists; or a claim about each payload. */
  publish(topic: string, drawn: string, of?: Letters | Check): this {
    return this.lane(`publish ${topic}`, drawn, of);
  }
  /** Calls of a webhook, named as `POST https://…`. */
  webhook(target: string, drawn: string, of?: Letters | Check): this {
    return this.lane(`webhook ${target}`, drawn, of);
  }
  log(drawn: string, of?: Letters | Check): this {
    return this.lane('log', drawn, of);
  }
  metric(name: string, drawn: string, of?: Letters | Check): this {
    return this.lane(`metric ${name}`, drawn, of);
  }
  header(drawn: string, of?: Letters | Check): this {
    return this.lane('header', drawn, of);
  }
  email(drawn: string, of?: Letters | Check): this {
    return this.lane('email', drawn, of);
  }
  /** Of a whole worker: the last record below the committed offset of its partition. */
  commit(drawn: string): this {
    return this.lane('commit', drawn);
  }
  /** Of a whole worker: when records are handed out to it. */
  taken(drawn: string): this {
    return this.lane('taken', drawn);
  }
  /** When the subject is subscribed (`^`) and left (`!`). */
  sub(drawn: string): this {
    return this.lane('sub', drawn);
  }
  /** When a whole worker drains (`!`). */
  drain(drawn: string): this {
    return this.lane('drain', drawn);
  }

  /** Any lane by its name. */
  lane(name: string, drawn: string, of?: Letters | Check): this {
    if (Object.hasOwn(this.lanes, name)) throw new LaneError(`the lane "${name}" is drawn twice`, name);
    this.lanes[name] = drawn;
    if (typeof of === 'function') this.checks.push([name, of]);
    else if (of !== undefined) this.letters = { ...this.letters, ...of };
    return this;
  }

  /** Lanes that may receive what they like; a `*` stands for anything. */
  ignore(...lanes: readonly string[]): this {
    return this.with({ ignore: [...(this.options.ignore ?? []), ...lanes] });
  }

  /** How far from its drawing something may happen: in all lanes, or in one. */
  tolerance(ms: number, lane?: string): this {
    const { tolerance } = this.options;
    if (lane === undefined) return this.with({ tolerance: ms });
    return this.with({ tolerance: { ...(typeof tolerance === 'object' ? tolerance : {}), [lane]: ms } });
  }

  /** Lanes whose letters may come in any order. */
  unordered(...lanes: readonly string[]): this {
    return this.with({ unordered: [...(this.options.unordered ?? []), ...lanes] });
  }

  /** Letters that are rightly still in flight at the end. */
  inFlight(letters: string): this {
    return this.with({ inFlight: letters });
  }

  /**
   * Plays the case, and answers what happened. Nothing else than what is drawn may happen, said or not: a case that does not end by this is played
   * when its function has returned.
   *
   * @throws {MarblesError} when what happened is not as drawn.
   */
  nothingElse(): Promise<MarblePlay> {
    this.played ??= this.judged();
    // Whoever does not wait for it hears of it at the end of the case.
    this.played.catch(() => undefined);
    return this.played;
  }

  private door(name: string, drawn: string, reason?: string | RegExp): this {
    this.lane(name, drawn);
    if (reason === undefined) return this;
    const letters = Array.from(drawn.replace(/\b[0-9.]+(?:ms|s|m)(?= |$)/g, '').replace(/[-()\s|#^!]/g, ''));
    return this.with({ reasons: { ...this.options.reasons, ...Object.fromEntries(letters.map((letter) => [letter, reason])) } });
  }

  private with(options: MarblesOptions): this {
    this.options = { ...this.options, ...options };
    return this;
  }

  private async judged(): Promise<MarblePlay> {
    const play = await this.play(this.lanes, this.letters, this.options);
    const problems: PlayProblem[] = [...play.problems];
    for (const [lane, check] of this.checks) {
      for (const mark of play.lanes.find(({ name }) => name === lane)?.received ?? []) {
        const text = mark.kind === 'next' ? refused(lane, mark, check) : undefined;
        if (text !== undefined) problems.push({ lane, frame: mark.frame, text, missing: [], extra: [] });
      }
    }
    if (problems.length === 0) return play;
    const failed = { ...play, problems };
    throw new MarblesError(tell(failed), failed);
  }
}

function refused(lane: string, { value, symbol, frame }: PlayedMark, check: Check): string | undefined {
  const shown = inspect(value, { depth: 4, breakLength: 120, maxStringLength: 200 });
  try {
    if (check(value as never, symbol) !== false) return undefined;
    return `${lane}, ${frame} ms: ${symbol} is not as it should be: ${shown}`;
  } catch (error) {
    // A claim may be an assertion of the test's own: what it says is part of the verdict.
    return `${lane}, ${frame} ms: ${symbol} is not as it should be: ${error instanceof Error ? error.message : String(error)}`;
  }
}
