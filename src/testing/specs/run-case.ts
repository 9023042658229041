import { Observable, type OperatorFunction, Subject } from 'rxjs';
import type { Delivery } from '../../../operators/index.js';
import { type Diagnostic, didYouMean, type Place, sortDiagnostics } from '../../diagnostics/index.js';
import type { LoadedChainSet } from '../../plugin/chain-set.js';
import type { PluginEntry } from '../../plugin/entry.js';
import { assemble, type AssembleOptions, type Context, type Passed, type PluginCounts } from '../../plugin/index.js';
import { LaneError, type Mark, parseLane } from '../lane.js';
import { playMarbles } from '../marbles.js';
import type { MarblePlay, PlayedLane, PlayedMark } from '../play.js';
import { completed, type PlayedLetter } from './complete.js';
import type { Configuration, Configurations } from './configuration.js';
import { actionDifference } from './content.js';
import { caseOf, type SpecCase, type SpecLane } from './spec.js';

/** Something in a case that is not as it is drawn. */
export interface CaseProblem {
  readonly place: Place;
  /** None where it is about the whole case. */
  readonly lane: string | undefined;
  readonly text: string;
  readonly missing: readonly PlayedMark[];
  readonly extra: readonly PlayedMark[];
}

/** How a case ended. */
export interface CaseResult {
  readonly case: SpecCase;
  readonly passed: boolean;
  /** Why it could not play. */
  readonly diagnostics: readonly Diagnostic[];
  readonly problems: readonly CaseProblem[];
  /** None when it could not play. */
  readonly play: MarblePlay | undefined;
  /** What each plugin decided. */
  readonly counts: PluginCounts;
  readonly sources: ReadonlyMap<string, string>;
  readonly ms: number;
}

export interface RunCaseOptions {
  readonly configurations: Configurations;
  /** Sees what passes through the chains of the case. */
  readonly watch?: CaseWatcher;
}

/** Sees what passes through the chains of a case. */
export interface CaseWatcher {
  /** A context has reached an entry; its conditions are asked next. */
  reached(entry: PluginEntry, context: Context): void;
  /** What left a chain, with the actions that were asked for. */
  passed(passed: Passed): void;
}

/** Plays one case. Never rejects: what goes wrong is a finding or a problem of the case. */
export async function runCase(one: SpecCase, options: RunCaseOptions): Promise<CaseResult> {
  const startedAt = performance.now();
  const prepared = await prepare(one, options);
  const { configuration } = prepared;
  const done = (rest: Partial<CaseResult>): CaseResult => ({
    case: one,
    passed: false,
    diagnostics: [],
    problems: [],
    play: undefined,
    counts: {},
    sources: configuration.sources,
    ...rest,
    ms: performance.now() - startedAt,
  });
  if ('diagnostics' in prepared) return done({ diagnostics: sortDiagnostics(prepared.diagnostics) });
  const { letters, set } = prepared;
  const strays = new Strays();
  try {
    await set.load();
    const stages = new Set([...letters.values()].map(({ stage }) => stage));
    const chains = new Map([...stages].map((stage) => [stage, set.stage(stage).operator]));
    const play = await playMarbles(
      byStage(chains, (passed) => options.watch?.passed(passed)),
      Object.fromEntries(one.lanes.map(({ name, marbles }) => [name, marbles])),
      {
        values: Object.fromEntries([...letters].map(([letter, { message }]) => [letter, message])),
        context: (_, letter) => letters.get(letter)!.context(),
        mocks: one.mocks,
        perform: { policyOf: (plugin) => set.policyOf(plugin), onActionFailed: () => undefined },
        ignore: one.ignore,
        inFlight: one.inFlight,
        tolerance: Object.fromEntries(one.lanes.map(({ name, tolerance = 0 }) => [name, tolerance])),
        unordered: one.lanes.filter(({ unordered }) => unordered).map(({ name }) => name),
        startAt: one.startAt,
      },
    );
    const found = [...problemsOf(one, play), ...contentProblems(one, play), ...unasked(one, play), ...strays.problems(one)];
    const problems = found.length > 0 ? found : silent(one);
    return done({ passed: problems.length === 0, problems, play, counts: set.counts() });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return done({ problems: [{ place: caseOf(one), lane: undefined, text, missing: [], extra: [] }], counts: set.counts() });
  } finally {
    strays.end();
    await set.unload();
  }
}

/** Promises that are rejected while a case plays and that nobody listens to; left alone they would end the process. */
class Strays {
  private readonly texts: string[] = [];
  private readonly heard = (reason: unknown): void => void this.texts.push(reason instanceof Error ? reason.message : String(reason));

  constructor() {
    process.on('unhandledRejection', this.heard);
  }

  problems(one: SpecCase): readonly CaseProblem[] {
    return this.texts.map((text) => ({
      place: caseOf(one),
      lane: undefined,
      text: `a promise was rejected and nobody listens to it: ${text}`,
      missing: [],
      extra: [],
    }));
  }

  end(): void {
    process.off('unhandledRejection', this.heard);
  }
}

/** Mocks of the case itself that no action asked: they say something that does not happen. */
function unasked(one: SpecCase, { mocks }: MarblePlay): readonly CaseProblem[] {
  const { yaml } = one.spec;
  const path = ['cases', one.index, 'mocks'];
  const own = yaml.keys(path);
  return mocks
    .filter(({ mock, asked }) => asked === 0 && own.includes(mock))
    .map(({ mock }) => ({
      place: yaml.place([...path, mock], 'key'),
      lane: undefined,
      text: `no action asked the mock "${mock}"`,
      missing: [],
      extra: [],
    }));
}

/** A case that holds whatever the rule does: it draws nothing that should happen. */
function silent(one: SpecCase): readonly CaseProblem[] {
  const says = one.lanes.some((lane) => lane.name !== 'in' && lane.name !== 'sub' && marksOf(lane).length > 0);
  if (says || one.inFlight !== '') return [];
  const text = 'no lane draws anything that should happen, so the case says nothing';
  return [{ place: caseOf(one), lane: undefined, text, missing: [], extra: [] }];
}

/** Everything that keeps a case from being played. */
export async function checkCase(one: SpecCase, options: RunCaseOptions): Promise<readonly Diagnostic[]> {
  const prepared = await prepare(one, options);
  return 'diagnostics' in prepared ? prepared.diagnostics : [];
}

type Prepared = { readonly configuration: Configuration } & (
  | { readonly letters: ReadonlyMap<string, PlayedLetter>; readonly set: LoadedChainSet }
  | { readonly diagnostics: readonly Diagnostic[] }
);

async function prepare(one: SpecCase, { configurations, watch }: RunCaseOptions): Promise<Prepared> {
  const configuration = await configurations.load(one);
  const { world, entries } = configuration;
  const letters = world.stages.length === 0 ? [] : lettersOf(one, configuration);
  const faults = 'length' in letters ? letters : [];
  if (configuration.diagnostics.length > 0) return { configuration, diagnostics: [...configuration.diagnostics, ...faults] };
  const { set, diagnostics } = assemble({
    domain: world.domain,
    entries,
    catalogue: configurations.catalogue,
    stages: world.stages,
    ...watching(entries, watch),
  });
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (faults.length + errors.length > 0 || 'length' in letters) return { configuration, diagnostics: [...faults, ...errors] };
  return { configuration, letters, set };
}

function watching(entries: readonly PluginEntry[], watch: CaseWatcher | undefined): Pick<AssembleOptions, 'onReached'> {
  if (watch === undefined) return {};
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return { onReached: (name, context) => watch.reached(byName.get(name)!, context) };
}

/** Every letter that the case draws, completed; or why it cannot be. */
function lettersOf(one: SpecCase, { world }: Configuration): ReadonlyMap<string, PlayedLetter> | readonly Diagnostic[] {
  const letters = new Map<string, PlayedLetter>();
  const faults: Diagnostic[] = [];
  const drawn = one.lanes.filter(({ name }) => name !== 'sub').flatMap((lane) => marksOf(lane));
  for (const symbol of new Set(drawn.filter(({ kind }) => kind === 'next').map((mark) => mark.symbol))) {
    const message = one.messages.get(symbol);
    if (message === undefined) continue;
    const letter = completed(world, one, message);
    if ('stage' in letter) letters.set(symbol, letter);
    else faults.push(...letter);
  }
  return faults.length > 0 ? faults : letters;
}

/** None where the lane is drawn wrongly, which is told elsewhere. */
function marksOf({ name, marbles }: SpecLane): readonly Mark[] {
  try {
    return parseLane(name, marbles).marks;
  } catch (error) {
    if (error instanceof LaneError) return [];
    throw error;
  }
}

type Chain = OperatorFunction<Delivery<Context>, Delivery<Passed>>;

/** The chains of several stages as one operator: each context goes through that of its stage. */
function byStage(chains: ReadonlyMap<string, Chain>, passed: (passed: Passed) => void): Chain {
  return (source) =>
    new Observable((subscriber) => {
      const inputs = new Map<string, Subject<Delivery<Context>>>();
      let open = chains.size;
      for (const [stage, chain] of chains) {
        const input = new Subject<Delivery<Context>>();
        inputs.set(stage, input);
        subscriber.add(
          chain(input).subscribe({
            next: (delivery) => {
              passed(delivery.value);
              subscriber.next(delivery);
            },
            error: (error: unknown) => subscriber.error(error),
            complete: () => {
              open -= 1;
              if (open === 0) subscriber.complete();
            },
          }),
        );
      }
      subscriber.add(
        source.subscribe({
          next: (delivery) => inputs.get(delivery.value.stage)!.next(delivery),
          error: (error: unknown) => inputs.forEach((input) => input.error(error)),
          complete: () => {
            if (open === 0) subscriber.complete();
            inputs.forEach((input) => input.complete());
          },
        }),
      );
    });
}

function problemsOf(one: SpecCase, play: MarblePlay): readonly CaseProblem[] {
  return play.problems.map(({ lane, at, text, missing, extra }) => ({
    place: lane === '' ? caseOf(one) : placeOf(one, lane, at),
    lane: lane === '' ? undefined : lane,
    text: hint(play, lane, missing) ?? text,
    missing,
    extra,
  }));
}

/** Nothing came where something is drawn, and something came in a lane of a name much like it. */
function hint(play: MarblePlay, lane: string, missing: readonly PlayedMark[]): string | undefined {
  const mine = play.lanes.find(({ name }) => name === lane);
  if (mine === undefined || mine.received.length > 0 || missing.length === 0) return undefined;
  const kind = lane.split(' ', 1)[0]!;
  const others = play.lanes.filter(({ name, expected }) => expected === undefined && name.startsWith(`${kind} `)).map(({ name }) => name);
  const near = didYouMean(lane, others);
  return near === undefined ? undefined : `nothing came here; did you mean "${near}"?`;
}

/** Where a lane differs: the sign in its text; where a lane is not drawn, the lanes that are. */
function placeOf(one: SpecCase, name: string | undefined, at: number | undefined): Place {
  const { yaml } = one.spec;
  const lane = one.lanes.find((candidate) => candidate.name === name);
  if (lane === undefined) {
    const expect = ['cases', one.index, 'expect'];
    return yaml.has(expect) ? yaml.place(expect, 'key') : caseOf(one);
  }
  if (at === undefined || at >= lane.marbles.length) return yaml.place(lane.path);
  return yaml.placeInside(lane.path, at);
}

/** What actions carry, and the reasons by which items left, compared with what lanes say of them. */
function contentProblems(one: SpecCase, play: MarblePlay): readonly CaseProblem[] {
  return one.lanes.flatMap((lane) => {
    const played = play.lanes.find(({ name }) => name === lane.name);
    return played === undefined ? [] : [...contents(one, lane, played), ...reasons(one, lane, played)];
  });
}

function contents(one: SpecCase, lane: SpecLane, played: PlayedLane): readonly CaseProblem[] {
  return Object.entries(lane.content).flatMap(([letter, wanted]) => {
    // Where two letters stand for one content it is the moment that says which was meant.
    const drawn = new Set(played.expected?.filter(({ symbol }) => symbol === letter).map(({ frame }) => frame));
    const own = played.received.filter(({ kind, symbol }) => kind === 'next' && symbol === letter);
    const marks = own.length > 0 ? own : played.received.filter(({ frame }) => drawn.has(frame));
    const differing = marks.flatMap((mark) => {
      const difference = actionDifference(wanted, mark);
      return difference === undefined ? [] : [`${letter}@${mark.frame}ms carries ${difference}`];
    });
    if (differing.length === 0) return [];
    const place = one.spec.yaml.place([...lane.path.slice(0, -1), 'content', letter]);
    return [{ place, lane: lane.name, text: differing[0]!, missing: [], extra: [] }];
  });
}

function reasons(one: SpecCase, { reason, path, name }: SpecLane, played: PlayedLane): readonly CaseProblem[] {
  if (reason === undefined) return [];
  const other = played.received.find((mark) => mark.kind === 'next' && mark.reason?.includes(reason) !== true);
  if (other === undefined) return [];
  const text = `${other.symbol}@${other.frame}ms left ${other.reason === undefined ? 'without a reason' : `for the reason "${other.reason}"`}, expected "${reason}"`;
  return [{ place: one.spec.yaml.place([...path.slice(0, -1), 'reason']), lane: name, text, missing: [], extra: [] }];
}
