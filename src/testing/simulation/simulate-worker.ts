import { OUTCOMES } from '../../../operators/index.js';
import type { LogStore } from '../../transport/log-store.js';
import type { Transport } from '../../transport/transport.js';
import { alignedLanes } from '../specs/aligned.js';
import type { Mark } from '../lane.js';
import { drawScenario, type Scenario, type ScenarioLimits, smaller } from './scenario.js';
import { type SimulatedWorker, simulatedWorker } from './simulated-worker.js';
import { runTrial, type Subject, type TrialResult } from './trial.js';

export interface SimulationOptions extends ScenarioLimits {
  /** The run: the same seed is the same run, to the letter. */
  readonly seed: number;
  /** What is simulated. Defaults to a worker as the product's own are made. */
  readonly worker?: SimulatedWorker;
  /** Put between each process and the log: to see what becomes of a log that does not keep its word. */
  readonly store?: (store: LogStore) => LogStore;
  /** Put around each process's transport. */
  readonly transport?: (transport: Transport) => Transport;
  /** Whether the worker keeps the order of a key across retries too: then no message may begin before its retried predecessor has left for good. Defaults to false. */
  readonly acrossRetries?: boolean;
  /** How many smaller runs are tried when one fails. Defaults to 400. */
  readonly tries?: number;
}

/** A run in which every rule held. */
export interface SimulationReport {
  readonly seed: number;
  /** Everything that happened, a line each. */
  readonly trace: string;
  /** How many deliveries left by each door. */
  readonly doors: Readonly<Record<string, number>>;
}

/** A rule was broken. The message has the seed, what happened, and the smallest run found in which it happens too, drawn. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';

  constructor(
    message: string,
    readonly seed: number,
    /** `law`, `order`, `commit`, `lost`, `repeated`, `bounded`, `verdict` or `rest`. */
    readonly rule: string,
    /** The smallest run found. */
    readonly scenario: Scenario,
    /** Everything that happened in it, a line each. */
    readonly trace: string,
  ) {
    super(message);
  }
}

/**
 * Runs a worker in several processes over one log, in virtual time, through what a seed draws: messages of some keys that are answered, fail, are sent
 * twice or cannot be read, a log that is slow or fails, processes that join, drain, stall past their lease or crash, and rules watched all the while:
 * each delivery leaves once, by one door, and what the door says is in the log; the handler sees a key in order; progress never passes what has not
 * left; nothing is handed out again that left; no more is in flight than credits allow; at the end each message is where its deeds lead.
 *
 * While it runs the process's timers and dates are virtual and `Math.random` is seeded.
 *
 * @throws {SimulationError} with a smaller run that breaks the same rule.
 */
export async function simulateWorker(options: number | SimulationOptions): Promise<SimulationReport> {
  const given: SimulationOptions = typeof options === 'number' ? { seed: options } : options;
  const same = <T>(one: T): T => one;
  const subject: Subject = {
    worker: given.worker ?? simulatedWorker,
    store: given.store ?? same,
    transport: given.transport ?? same,
    acrossRetries: given.acrossRetries ?? false,
  };
  const result = await runTrial(drawScenario(given.seed, given), subject);
  if (result.broken === undefined) return report(result);
  const smallest = await shrink(result, result.broken.rule, subject, given.tries ?? 400);
  const { rule } = result.broken;
  throw new SimulationError(tell(result, smallest), given.seed, rule, smallest.scenario, smallest.trace);
}

/** Draws what happened in a run, lane under lane. */
export function drawRun({ happenings, scenario }: TrialResult): string {
  const processes = [...new Set(happenings.filter(({ sign }) => sign === '^').map(({ lane }) => lane))];
  const lanes = processes.flatMap((process) => [process, `${process} takes`, `${process} works on`]);
  const keys = new Map<string, string[]>();
  for (const { letter, key } of scenario.messages) keys.set(key, [...(keys.get(key) ?? []), letter]);
  const repeats = scenario.messages.filter(({ id, letter }) => id !== letter && scenario.messages.some((other) => other.letter === id));
  const first = ['in', ...lanes, ...OUTCOMES, 'comes again'];
  const found = new Set(happenings.map(({ lane }) => lane));
  const rows = [...new Set([...first.filter((lane) => found.has(lane)), ...found])].map((label) => {
    const own = happenings.filter(({ lane }) => lane === label);
    return { label, marks: own.map(({ at, sign }): Mark => ({ frame: at, kind: 'next', symbol: sign })) };
  });
  return [
    ...alignedLanes(rows, '  '),
    `  ${[...keys].map(([key, letters]) => `key ${key}: ${letters.join(' ')}`).join(', ')}`,
    ...repeats.map(({ letter, id }) => `  ${letter} is ${id}, sent twice`),
  ].join('\n');
}

function tell(result: TrialResult, smallest: TrialResult): string {
  const { seed } = result.scenario;
  return [
    `seed ${seed} breaks the rule "${result.broken!.rule}": ${result.broken!.sentence}`,
    '',
    `In the smallest run found that breaks it: ${smallest.broken!.sentence}`,
    drawRun(smallest),
    '',
    ...smallest.trace.split('\n').map((line) => `  ${line}`),
  ].join('\n');
}

/** Takes the first smaller run that breaks the same rule, and goes on from there. */
async function shrink(found: TrialResult, rule: string, subject: Subject, tries: number): Promise<TrialResult> {
  let best = found;
  let left = tries;
  for (let shrunk = true; shrunk; ) {
    shrunk = false;
    for (const scenario of smaller(best.scenario)) {
      if (left === 0) return best;
      left -= 1;
      const result = await runTrial(scenario, subject);
      if (result.broken?.rule !== rule) continue;
      best = result;
      shrunk = true;
      break;
    }
  }
  return best;
}

function report({ scenario, trace, happenings }: TrialResult): SimulationReport {
  const doors = OUTCOMES.map((outcome) => [outcome, happenings.filter(({ lane }) => lane === outcome).length] as const);
  return { seed: scenario.seed, trace, doors: Object.fromEntries(doors) };
}
