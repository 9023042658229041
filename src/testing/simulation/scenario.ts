import { createRandom, type Random } from '../../simulator/random.js';

/** What the handler does with a message at one attempt: answers at once or later, or fails so that it may be tried again, or for good. */
export type Deed = { readonly kind: 'answer' | 'fail' | 'refuse'; readonly ms: number };

/** One record that somebody writes to the worker's topic. */
export interface DrawnMessage {
  /** How traces and drawings call it. */
  readonly letter: string;
  /** Two records of one id are one message that was sent twice. */
  readonly id: string;
  readonly key: string;
  /** When it is written, in milliseconds. */
  readonly at: number;
  readonly kind: 'good' | 'unreadable' | 'unwanted';
  /** By attempt; what comes after the last is as the last. */
  readonly deeds: readonly Deed[];
}

/** Something that happens to one of the processes. */
export interface DrawnEvent {
  readonly at: number;
  readonly kind: 'join' | 'leave' | 'crash' | 'stall';
  /** Which of those that live: counted round. */
  readonly which: number;
  /** How long a stall lasts, in milliseconds. */
  readonly ms: number;
}

/** Everything that a simulated run depends on. */
export interface Scenario {
  readonly seed: number;
  readonly partitions: number;
  readonly processes: number;
  readonly credits: number;
  readonly concurrency: number;
  /** The share of the log's writes that fail. */
  readonly faults: number;
  /** The longest that the log takes for a write, each way, in milliseconds. */
  readonly slowness: number;
  readonly messages: readonly DrawnMessage[];
  readonly events: readonly DrawnEvent[];
}

export interface ScenarioLimits {
  /** The most messages of a run. Defaults to 12. */
  readonly messages?: number;
  /** The most keys. Defaults to 4. */
  readonly keys?: number;
  /** The most partitions. Defaults to 3. */
  readonly partitions?: number;
  /** The most processes at the start. Defaults to 3. */
  readonly processes?: number;
  /** Whether some messages are sent twice; a worker that does not look at `seen` delivers them twice. Defaults to true. */
  readonly duplicates?: boolean;
  /** Whether processes crash and stall, beside joining and leaving. Defaults to true. */
  readonly crashes?: boolean;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Retries of a message, each with its delay in milliseconds: short, since time is virtual and drawings are read. */
export const RETRY_DELAYS_MS: readonly number[] = [20, 30];

/** Draws a run from its seed; the same seed and limits draw the same run. */
export function drawScenario(seed: number, limits: ScenarioLimits = {}): Scenario {
  const random = createRandom(`scenario ${seed}`);
  const crashes = limits.crashes ?? true;
  const partitions = random.int(1, limits.partitions ?? 3);
  const keys = random.int(1, limits.keys ?? 4);
  const messages: DrawnMessage[] = [];
  const count = random.int(1, Math.min(limits.messages ?? 12, LETTERS.length));
  for (let at = 0; at < count; at += 1) messages.push(drawMessage(random, messages, { keys, duplicates: limits.duplicates ?? true }));
  const kinds = crashes ? ({ join: 2, leave: 2, crash: 3, stall: 2 } as const) : ({ join: 1, leave: 1, crash: 0, stall: 0 } as const);
  const events = Array.from({ length: random.int(0, 5) }, () => {
    return { at: random.int(1, 90), kind: random.weighted(kinds), which: random.int(0, 5), ms: random.int(1, 40) };
  });
  return {
    seed,
    partitions,
    processes: random.int(1, limits.processes ?? 3),
    credits: random.pick([1, 2, 4, 16]),
    concurrency: random.pick([1, 2, 4, 16]),
    faults: random.chance(0.3) ? 0.15 : 0,
    slowness: random.pick([0, 1, 4]),
    messages: messages.toSorted((a, b) => a.at - b.at),
    events: events.toSorted((a, b) => a.at - b.at),
  };
}

function drawMessage(
  random: Random,
  before: readonly DrawnMessage[],
  { keys, duplicates }: { readonly keys: number; readonly duplicates: boolean },
): DrawnMessage {
  const letter = LETTERS[before.length]!;
  const at = random.int(0, 60);
  const first = duplicates && before.length > 0 && random.chance(0.1) ? random.pick(before) : undefined;
  if (first !== undefined) return { ...first, letter, at };
  const deeds = Array.from({ length: RETRY_DELAYS_MS.length + 1 }, (): Deed => {
    return { kind: random.weighted({ answer: 7, fail: 3, refuse: 1 }), ms: random.chance(0.4) ? 0 : random.int(1, 15) };
  });
  const kind = random.weighted({ good: 20, unreadable: 1, unwanted: 1 });
  return { letter, id: letter, key: `k${random.int(0, keys - 1)}`, at, kind, deeds };
}

/** Smaller runs to try, the most daring first. */
export function* smaller(scenario: Scenario): Generator<Scenario> {
  for (const part of parts(scenario.messages)) yield { ...scenario, messages: part };
  for (const part of parts(scenario.events)) yield { ...scenario, events: part };
  if (scenario.partitions > 1) yield { ...scenario, partitions: 1 };
  if (scenario.processes > 1) yield { ...scenario, processes: scenario.processes - 1 };
  if (scenario.faults > 0) yield { ...scenario, faults: 0 };
  if (scenario.slowness > 0) yield { ...scenario, slowness: 0 };
  if (scenario.credits < 16) yield { ...scenario, credits: 16 };
  if (scenario.concurrency < 16) yield { ...scenario, concurrency: 16 };
  for (const [at, message] of scenario.messages.entries()) {
    for (const simpler of simplerMessages(message)) yield { ...scenario, messages: scenario.messages.with(at, simpler) };
  }
  for (const [at, event] of scenario.events.entries()) {
    if (event.which > 0) yield { ...scenario, events: scenario.events.with(at, { ...event, which: 0 }) };
    const earlier = scenario.events[at - 1]?.at ?? 0;
    for (const time of sooner(event.at, earlier)) yield { ...scenario, events: scenario.events.with(at, { ...event, at: time }) };
  }
}

/** The list without its first half, its second half, and without each of its items. */
function* parts<T>(list: readonly T[]): Generator<readonly T[]> {
  const half = list.length >> 1;
  if (half > 0) {
    yield list.slice(half);
    yield list.slice(0, half);
  }
  for (let at = 0; at < list.length; at += 1) yield list.toSpliced(at, 1);
}

function* simplerMessages(message: DrawnMessage): Generator<DrawnMessage> {
  if (message.kind !== 'good') yield { ...message, kind: 'good' };
  for (const at of sooner(message.at, 0)) yield { ...message, at };
  for (const [at, deed] of message.deeds.entries()) {
    if (deed.kind !== 'answer') yield { ...message, deeds: message.deeds.with(at, { ...deed, kind: 'answer' }) };
    if (deed.ms > 0) yield { ...message, deeds: message.deeds.with(at, { ...deed, ms: 0 }) };
    if (deed.ms > 1) yield { ...message, deeds: message.deeds.with(at, { ...deed, ms: deed.ms >> 1 }) };
  }
}

/** Only ever less, so that shrinking ends. */
function* sooner(time: number, least: number): Generator<number> {
  if (time <= least) return;
  yield least;
  const middle = (time + least) >> 1;
  if (middle > least && middle < time) yield middle;
  if (time - 1 > middle) yield time - 1;
}
