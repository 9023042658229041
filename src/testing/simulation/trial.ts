import { createRandom } from '../../simulator/random.js';
import type { LogStore } from '../../transport/log-store.js';
import { MemoryStore } from '../../transport/memory/memory-store.js';
import { prepare } from '../../transport/prepared.js';
import type { Transport } from '../../transport/transport.js';
import { alone, microtasksDrained, VirtualTime } from '../virtual-time.js';
import { Line } from './line.js';
import { SimulatedProcess } from './process.js';
import { Rules } from './rules.js';
import type { DrawnEvent, DrawnMessage, Scenario } from './scenario.js';
import type { SimulatedWorker } from './simulated-worker.js';
import { DEAD_LETTERS, INPUT, OUTPUT, RETRIES } from './topics.js';
import { type Happening, Witness } from './witness.js';

/** What is tried: a worker, and what stands between a process and the log. */
export interface Subject {
  readonly worker: SimulatedWorker;
  readonly store: (store: LogStore) => LogStore;
  readonly transport: (transport: Transport) => Transport;
  /** Whether the worker promises the order of a key across retries. */
  readonly acrossRetries: boolean;
}

/** How a run ended. */
export interface TrialResult {
  readonly scenario: Scenario;
  readonly trace: string;
  readonly happenings: readonly Happening[];
  /** The first rule that was broken, and how. */
  readonly broken: { readonly rule: string; readonly sentence: string } | undefined;
}

/** The log takes a silent member for dead after so long, in milliseconds. */
const LEASE_MS = 15;

/** A run that is not at rest by then never will be, in virtual milliseconds and in steps. */
const LONGEST_MS = 5_000;
const MOST_STEPS = 50_000;
/** Nothing is worked on for so long, in milliseconds. */
const LONG_HELD_MS = 1_000;

/** Plays one drawn run in virtual time; ends at the first rule that is broken. */
export function runTrial(scenario: Scenario, subject: Subject): Promise<TrialResult> {
  return alone(() => new Trial(scenario, subject).run());
}

class Trial {
  private readonly time = new VirtualTime();
  private readonly witness: Witness;
  private readonly rules: Rules;
  private readonly log: LogStore;
  private readonly living: { readonly process: SimulatedProcess; readonly line: Line }[] = [];
  private readonly leaving: SimulatedProcess[] = [];
  private started = 0;

  constructor(
    private readonly scenario: Scenario,
    private readonly subject: Subject,
  ) {
    this.witness = new Witness(scenario.messages, () => this.time.now);
    this.rules = new Rules(this.witness, scenario.credits, subject.acrossRetries);
    this.log = new MemoryStore({ defaultPartitions: 1, now: () => this.time.now, fault: () => undefined });
  }

  async run(): Promise<TrialResult> {
    const { scenario, witness } = this;
    const chance = Math.random;
    this.time.install();
    Math.random = createRandom(`chance ${scenario.seed}`).next;
    try {
      await this.log.ensureTopics([INPUT, OUTPUT, DEAD_LETTERS, ...RETRIES].map((name) => ({ name, partitions: scenario.partitions })));
      for (let at = 0; at < scenario.processes; at += 1) this.join();
      for (const message of scenario.messages) this.time.schedule(() => this.send(message), message.at, 'source');
      for (const event of scenario.events) this.time.schedule(() => this.happen(event), event.at, 'source');
      await this.untilRest();
      if (witness.broken === undefined && this.living.length === 0) {
        this.join();
        await this.untilRest();
      }
      for (const { process } of this.living) this.mustHoldNothing(process, 'holds');
      for (const process of this.leaving) if (!process.isOver) this.mustHoldNothing(process, 'never ended its drain, it holds');
      if (witness.broken === undefined) this.rules.atRest(scenario.messages.map(({ letter }) => letter));
      if (witness.broken === undefined) await this.drainAll();
      return { scenario, trace: witness.trace, happenings: witness.happenings, broken: witness.broken };
    } finally {
      for (const { process } of this.living.splice(0)) process.crash();
      Math.random = chance;
      this.time.uninstall();
    }
  }

  private async untilRest(): Promise<void> {
    await microtasksDrained();
    let steps = 0;
    while (this.witness.broken === undefined && this.time.nextAt !== undefined) {
      steps += 1;
      if (steps > MOST_STEPS || this.time.nextAt > LONGEST_MS) {
        // What holds credits for ever makes the log ask again and again: that it was lost says more.
        for (const { process } of this.living) this.mustHoldNothing(process, 'holds', LONG_HELD_MS);
        this.witness.breaks('rest', 'the run does not come to rest');
        return;
      }
      this.time.step();
      await microtasksDrained();
    }
  }

  private mustHoldNothing(process: SimulatedProcess, what: string, forMs = 0): void {
    const open = this.rules.openIn(process.name, forMs);
    if (open.length > 0) this.witness.breaks('lost', `${process.name} ${what} ${open.join(', ')}, which never left`);
    else if (this.leaving.includes(process)) this.witness.breaks('lost', `${process.name} never ended its drain`);
  }

  private async drainAll(): Promise<void> {
    const all = this.living.splice(0);
    for (const { process } of all) process.drain();
    await this.untilRest();
    for (const { process } of all) if (!process.isOver) this.witness.breaks('lost', `${process.name} never ended its drain`);
  }

  private join(): void {
    this.started += 1;
    const name = `P${this.started}`;
    const { scenario, rules, witness, log, subject } = this;
    const line = new Line({
      log,
      random: createRandom(`line ${scenario.seed} ${name}`),
      faults: scenario.faults,
      slowness: scenario.slowness,
      onWritten: (units, results) => rules.written(units, results),
      onGranted: (beat, answer) => rules.granted(beat, answer),
      onGone: (group, member) => rules.gone(group, member),
    });
    const process = new SimulatedProcess({ name, scenario, line, rules, witness, ...subject });
    this.living.push({ process, line });
    witness.happened(name, '^', `${name} starts`);
    process.start();
  }

  private happen({ kind, which, ms }: DrawnEvent): void {
    if (kind === 'join') {
      this.join();
      return;
    }
    const at = which % Math.max(1, this.living.length);
    const chosen = this.living[at];
    if (chosen === undefined) return;
    const { process, line } = chosen;
    if (kind === 'stall') {
      this.witness.happened(process.name, '~', `${process.name} hears nothing of the log for ${ms} ms`);
      line.stall(ms);
      if (ms > LEASE_MS) this.expireLater(process, line);
      return;
    }
    this.living.splice(at, 1);
    this.witness.happened(process.name, '!', `${process.name} ${kind === 'crash' ? 'crashes' : 'drains'}`);
    if (kind === 'leave') {
      this.leaving.push(process);
      process.drain();
    } else {
      process.crash();
      this.expireLater(process, line);
    }
  }

  /** Nobody hears of it for so long that the log takes it for dead. */
  private expireLater(process: SimulatedProcess, line: Line): void {
    const expire = (): void => {
      this.witness.happened(process.name, 'x', `the log takes ${process.name} for dead`);
      void line.expire();
    };
    this.time.schedule(expire, LEASE_MS, 'timer');
  }

  private send({ letter, id, key, kind }: DrawnMessage): void {
    const value = kind === 'unreadable' ? '{' : JSON.stringify({ trace_id: id, letter, key, unwanted: kind === 'unwanted' });
    const record = prepare({ topic: INPUT, key, value }, this.time.now);
    this.witness.happened('in', letter, `${letter} comes in`);
    void this.log
      .write([{ lease: undefined, progress: undefined, records: [record], marks: [] }])
      .then(([result]) => result?.kind === 'written' && this.rules.entered(result.positions[0]!, letter));
  }
}
