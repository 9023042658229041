import type { Observable, OperatorFunction } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import type { Context } from '../plugin/index.js';
import type { Performance } from './acting.js';
import { Alphabet } from './alphabet.js';
import { LaneError, type Lane, type Listening, parseDrain, parseLane, parseListening } from './lane.js';
import { MarbleRun } from './marble-run.js';
import type { Mocks } from './mocks.js';
import { type Expectations, judge, type MarblePlay } from './play.js';
import { told } from './play-watch.js';
import { MarblesError, tell } from './report.js';
import { alone, timersTaken } from './virtual-time.js';
import { WorkerOnLog } from './worker-on-log.js';

/** What is tested: an operator, an Observable that needs no source, or a whole worker (`workerOnLog`). */
export type MarbleSubject =
  | ((source: Observable<never>) => Observable<unknown>)
  | OperatorFunction<never, unknown>
  | Observable<unknown>
  | WorkerOnLog;

/** Lanes by name, or a drawing with a lane a line: its name, two spaces, its marbles. */
export type Lanes = string | Readonly<Record<string, string>>;

export interface MarblesOptions extends Expectations {
  /** What the letters stand for; a letter that is not listed stands for itself. */
  readonly values?: Readonly<Record<string, unknown>>;
  /** What `#` stands for. Defaults to the text `error`, as in RxJS. */
  readonly error?: unknown;
  /** What the subject takes: deliveries, or plain values. Defaults to `deliveries`. */
  readonly input?: 'deliveries' | 'values';
  /** Makes each value the message of a context: for a plugin or a chain. */
  readonly context?: Partial<Context> | ((message: unknown, letter: string) => Partial<Context>);
  /** What is done with each delivery that comes out. Defaults to settling it as delivered, or as the chain that let it out decided. */
  readonly sink?: (delivery: Delivery<unknown>) => void;
  /**
   * How actions are answered. With it, what plugins ask for is performed in the run (each attempt stands in its lane when it begins), and a delivery
   * leaves when its actions are done. Without it, actions stand in their lanes when their plugin asks, and are not performed.
   */
  readonly mocks?: Mocks;
  /** How actions are performed: attempts, pauses, policies of plugins, who takes what failed. Pauses are not drawn at random, but whole. */
  readonly perform?: Performance;
  /** What the calendar shows at the first frame, in milliseconds since 1970. Defaults to 0. */
  readonly startAt?: number;
}

interface Spec {
  readonly drawn: ReadonlyMap<string, Lane>;
  readonly listening: Listening;
  readonly alphabet: Alphabet;
}

function lanesOf(lanes: Lanes): readonly (readonly [name: string, drawn: string])[] {
  if (typeof lanes !== 'string') return Object.entries(lanes);
  const found: [string, string][] = [];
  for (const line of lanes.split('\n')) {
    if (line.trim() === '') continue;
    const parts = /^\s*(\S+(?: \S+)*)\s{2,}(.*)$/.exec(line);
    if (parts === null) throw new LaneError(`a lane is its name, two spaces and its marbles; found "${line.trim()}"`);
    found.push([parts[1]!, parts[2]!.trimEnd()]);
  }
  return found;
}

function specOf(subject: MarbleSubject, lanes: Lanes, options: MarblesOptions): Spec {
  const drawn = new Map<string, Lane>();
  let listening: Listening = { from: 0, until: Number.POSITIVE_INFINITY, drainAt: Number.POSITIVE_INFINITY };
  for (const [name, marbles] of lanesOf(lanes)) {
    if (name === 'sub') listening = { ...listening, ...parseListening(name, marbles) };
    else if (name === 'drain') listening = { ...listening, drainAt: parseDrain(name, marbles) };
    else if (drawn.has(name)) throw new LaneError(`the lane "${name}" is drawn twice`);
    else drawn.set(name, parseLane(name, marbles));
  }
  if (Number.isFinite(listening.drainAt) && !(subject instanceof WorkerOnLog)) {
    throw new LaneError('lane "drain": only a whole worker drains (workerOnLog)', 'drain');
  }
  if (drawn.size === 0) throw new LaneError('a specification without lanes says nothing');
  const letters = [...drawn.values()].flatMap(({ marks }) => marks.filter(({ kind }) => kind === 'next').map(({ symbol }) => symbol));
  return { drawn, listening, alphabet: new Alphabet(options.values ?? {}, letters) };
}

/**
 * Plays a drawing against a subject in virtual time and compares every lane; promises settle between two moments as they do in life.
 *
 * Lanes: `in` (what enters), `sub` (`^` subscribe, `!` unsubscribe), `out` (what comes out), the doors `delivered`, `filtered`, `retried`,
 * `dead_lettered`, `released`, `failed` (handed to whoever opened the claim), and for plugins `publish <topic>`, `webhook <METHOD url>`, `log`,
 * `metric <name>`, `header`, `email`. A lane that is not drawn must receive nothing, unless `ignore` names it; `delivered` need not be drawn for
 * what came out and was delivered by whoever took it.
 *
 * While it runs, `setTimeout`, `setInterval`, `setImmediate` and their promises (also as imported from `node:timers` and `node:timers/promises`),
 * `Date`, `performance.now` and `AbortSignal.timeout` are virtual for the whole process, so RxJS' own schedulers are too; runs wait for each other.
 * Connections are refused, files are read in no time. Timers that somebody took out of `globalThis` before are not seen.
 *
 * @throws {MarblesError} with all lanes, aligned, when they differ or an item never left; {@link LaneError} when a lane is drawn wrongly.
 */
export async function marbles(subject: MarbleSubject, lanes: Lanes, options: MarblesOptions = {}): Promise<void> {
  const play = await playMarbles(subject, lanes, options);
  if (play.problems.length > 0) throw new MarblesError(tell(play), play);
}

/** As `marbles`, at once, for subjects without promises. */
export function marblesSync(subject: MarbleSubject, lanes: Lanes, options: MarblesOptions = {}): void {
  const play = playMarblesSync(subject, lanes, options);
  if (play.problems.length > 0) throw new MarblesError(tell(play), play);
}

/**
 * As `marbles`, and answers what happened as data, problems among it, for whoever draws or tells it in another way.
 *
 * @throws {LaneError} when a lane is drawn wrongly; what the subject itself throws in a timer or when it is made.
 */
export async function playMarbles(subject: MarbleSubject, lanes: Lanes, options: MarblesOptions = {}): Promise<MarblePlay> {
  const spec = specOf(subject, lanes, options);
  return await alone(async () => {
    const run = new MarbleRun(subject, spec, options);
    try {
      run.begin();
      await run.quiet();
      while (run.step()) await run.quiet();
      const played = run.end();
      await run.quiet();
      while (run.step()) await run.quiet();
      return told(judge(played(), options));
    } finally {
      run.dispose();
    }
  });
}

/** As `playMarbles`, at once, for subjects without promises. */
export function playMarblesSync(subject: MarbleSubject, lanes: Lanes, options: MarblesOptions = {}): MarblePlay {
  if (timersTaken()) throw new MarblesError('another run has the timers: await it first');
  if (subject instanceof WorkerOnLog) throw new MarblesError('a whole worker works by promises: play it with marbles');
  const run = new MarbleRun(subject, specOf(subject, lanes, options), options);
  try {
    run.begin();
    while (run.step());
    const played = run.end();
    while (run.step());
    return judge(played(), options);
  } finally {
    run.dispose();
  }
}
