import type { Outcome } from '../../../operators/index.js';
import { decodeRanges } from '../../transport/ranges.js';
import type { Beat, BeatAnswer, WriteResult, WriteUnit } from '../../transport/log-store.js';
import type { Settled } from '../../runtime/worker.js';
import type { Position } from '../../transport/transport.js';
import { DEAD_LETTERS, INPUT, isRetryTopic, letterIn, OUTPUT, RETRY_GROUP, WORKER_GROUP } from './topics.js';
import { RETRY_DELAYS_MS } from './scenario.js';
import { type HandOut, type Place, partitionName, type Witness } from './witness.js';

/** How far a group has come in one partition, as the log has it. */
interface Covered {
  readonly offsets: Set<number>;
  committed: number;
  /** Who may commit it. */
  holder: { readonly process: string; readonly epoch: number } | undefined;
}

/** What the log holds of one message: how often it left for good by each door, and where it is on its way. */
interface Fate {
  outputs: number;
  deadLetters: string[];
  filtered: number;
  retries: number;
  redelivered: number;
}

/** The rules, held against everything that happens; each is told to the witness when it is broken. */
export class Rules {
  /** By process, group and place; a record that is handed to a process again is one more. */
  private readonly handOuts = new Map<string, (HandOut & { readonly epoch: number })[]>();
  private readonly inFlight = new Map<string, number>();
  private readonly partitions = new Map<string, Covered>();
  private readonly fates = new Map<string, Fate>();
  private readonly dead = new Set<string>();
  /** Where each letter lay first. */
  private readonly firstAt = new Map<string, Position>();
  /** The letters of a partition of the input, by offset. */
  private readonly lanes = new Map<string, Map<number, string>>();

  constructor(
    private readonly witness: Witness,
    private readonly credits: number,
    /** Whether the order of a key holds across retries: no message begins before those that came before it have left for good. */
    private readonly acrossRetries = false,
  ) {}

  /** Of what a crashed process does nothing counts any more: nobody can see it. */
  crashed(process: string): void {
    this.dead.add(process);
  }

  entered(position: Position, letter: string): void {
    this.witness.lies(position, letter);
    this.laneOf(position).set(position.offset, letter);
    this.firstAt.set(letter, position);
  }

  handedOut(given: { readonly process: string; readonly group: string; readonly place: Place; readonly epoch: number }): HandOut {
    const { process, group, place, epoch } = given;
    const letter = this.witness.letterAt(place);
    const at = this.witness.now();
    const handOut = { at, process, group, place, epoch, letter, ending: undefined, reason: undefined, left: undefined, told: undefined };
    if (this.dead.has(process)) return handOut;
    const name = handOutName(process, group, place);
    const all = this.handOuts.get(name) ?? [];
    const before = all.at(-1);
    if (before !== undefined && before.left === undefined && before.epoch === epoch) {
      this.witness.breaks('law', `${process} was handed ${where(place, letter)} again while it had it`);
    }
    all.push(handOut);
    this.handOuts.set(name, all);
    if (group === WORKER_GROUP) this.witness.happened(`${process} takes`, letter, `${process} takes ${where(place, letter)}`);
    if (this.isCurrent(handOut) && this.coveredOf(group, place).offsets.has(place.offset)) {
      this.witness.breaks('repeated', `${process} was handed ${where(place, letter)}, which had left`);
    }
    const open = (this.inFlight.get(`${process} ${group}`) ?? 0) + 1;
    this.inFlight.set(`${process} ${group}`, open);
    if (open > this.credits) {
      this.witness.breaks('bounded', `${process} has ${open} of ${group} in flight, ${this.credits} are allowed`);
    }
    return handOut;
  }

  ended(handOut: HandOut, outcome: Outcome, reason: string | undefined): void {
    if (handOut.ending !== undefined) {
      this.witness.breaks('law', `${where(handOut.place, handOut.letter)} was settled twice: ${handOut.ending}, then ${outcome}`);
    }
    handOut.ending = outcome;
    handOut.reason = reason;
  }

  left(handOut: HandOut, outcome: Outcome): void {
    const { process, group, place, letter } = handOut;
    if (handOut.left !== undefined) return;
    handOut.left = outcome;
    if (this.dead.has(process)) return;
    this.inFlight.set(`${process} ${group}`, (this.inFlight.get(`${process} ${group}`) ?? 0) - 1);
    if (group !== WORKER_GROUP) return;
    const reason = handOut.reason === undefined ? '' : ` (${handOut.reason})`;
    this.witness.happened(outcome, letter, `${process} has ${outcome.replace('_', '-')} ${where(place, letter)}${reason}`);
  }

  /** The worker says how a delivery left. */
  told(process: string, group: string, { origin, outcome }: Settled): void {
    if (this.dead.has(process) || origin === undefined) return;
    const all = this.handOuts.get(handOutName(process, group, origin)) ?? [];
    const handOut = all.find(({ told, left }) => told === undefined && left === outcome);
    if (handOut !== undefined) {
      handOut.told = outcome;
      return;
    }
    const known = all.map(({ left }) => left ?? 'in flight').join(', then ');
    const letter = this.witness.letterAt(origin);
    this.witness.breaks('law', `${process} says that ${where(origin, letter)} left ${outcome}; told before, or not so: ${known}`);
  }

  /** The worker's handler begins with a record. */
  began(process: string, place: Place): void {
    if (this.dead.has(process)) return;
    const handOut = this.handOuts.get(handOutName(process, WORKER_GROUP, place))?.at(-1);
    const letter = this.witness.letterAt(place);
    this.witness.happened(`${process} works on`, letter, `${process} works on ${where(place, letter)}`);
    if (handOut === undefined) {
      this.witness.breaks('law', `${process} works on ${where(place, letter)}, which it was not handed`);
      return;
    }
    if (handOut.ending !== undefined) {
      this.witness.breaks('law', `${process} began with ${where(place, letter)} after it had left (${handOut.ending})`);
    }
    if (!this.isCurrent(handOut)) return;
    if (this.acrossRetries) {
      this.keepsOrder(letter, `${process} began with ${where(place, letter)}`);
      return;
    }
    const { offsets } = this.coveredOf(WORKER_GROUP, place);
    const key = this.witness.message(letter)?.key;
    for (const [offset, other] of this.laneOf(place)) {
      if (offset >= place.offset || offsets.has(offset)) continue;
      const earlier = this.witness.message(other);
      // The key of what cannot be read is not known.
      if (earlier === undefined || earlier.kind === 'unreadable' || earlier.key !== key) continue;
      this.witness.breaks(
        'order',
        `${process} began with ${where(place, letter)} before ${where({ ...place, offset }, other)} of the same key had left`,
      );
    }
  }

  granted(beat: Beat, answer: BeatAnswer): void {
    for (const place of beat.surrendered) this.free(beat.group, place, beat.member);
    for (const { topic, partition, epoch } of answer.granted) {
      this.coveredOf(beat.group, { topic, partition }).holder = { process: processOf(beat.member), epoch };
    }
  }

  gone(group: string, member: string): void {
    for (const [name, { holder }] of this.partitions) {
      if (holder?.process === processOf(member) && name.startsWith(`${group} `)) this.partitions.get(name)!.holder = undefined;
    }
  }

  /** These units have become durable together, for those that were not turned away. */
  written(units: readonly WriteUnit[], results: readonly WriteResult[]): void {
    units.forEach((unit, at) => {
      const result = results[at];
      if (result?.kind !== 'written') return;
      unit.records.forEach((record, index) => this.wrote(record.value, result.positions[index]!));
    });
    units.forEach(({ lease, progress }, at) => {
      if (results[at]?.kind === 'written' && lease !== undefined && progress !== undefined) {
        this.committed(processOf(lease.member), lease.group, lease, progress);
      }
    });
  }

  /** What has been in flight in a process for so long, in milliseconds, by name. */
  openIn(process: string, forMs = 0): readonly string[] {
    const before = this.witness.now() - forMs;
    return [...this.handOuts.values()]
      .flat()
      .filter((handOut) => handOut.process === process && handOut.left === undefined && handOut.at <= before)
      .map(({ place, letter }) => where(place, letter));
  }

  /** Everything has come to rest: each message must have left once, by the door that its deeds lead to. */
  atRest(letters: readonly string[]): void {
    for (const letter of letters) {
      const { outputs, deadLetters, filtered } = this.fateOf(letter);
      if (outputs + deadLetters.length + filtered === 0) this.witness.breaks('lost', `nothing is left of ${letter}: no door let it out`);
      const message = this.witness.message(letter)!;
      const door = expectedDoor(message.kind, message.deeds);
      const sent = letters.filter((other) => this.witness.message(other)!.id === message.id);
      const delivered = sent.reduce((sum, other) => sum + this.fateOf(other).outputs, 0);
      const fits = {
        delivered: delivered === 1 && (outputs === 1 || filtered === 1),
        filtered: filtered === 1,
        dead_lettered: deadLetters.length === 1,
      }[door];
      if (fits) continue;
      const doors = [
        ...deadLetters.map((why) => `dead-lettered (${why})`),
        ...(outputs > 0 ? ['delivered'] : []),
        ...(filtered > 0 ? ['filtered'] : []),
      ];
      this.witness.breaks('verdict', `${letter} should be ${door.replace('_', '-')}, it is ${doors.join(' and ') || 'nowhere'}`);
    }
  }

  private wrote(value: Buffer | null, position: Position): void {
    const { topic } = position;
    const letter = topic === DEAD_LETTERS ? this.letterOfDeadLetter(value) : letterIn(value);
    if (letter === undefined) return;
    this.witness.lies(position, letter);
    const fate = this.fateOf(letter);
    if (topic === OUTPUT) this.putOut(letter, fate);
    else if (topic === DEAD_LETTERS) fate.deadLetters.push(reasonIn(value));
    else if (topic === INPUT) {
      fate.redelivered += 1;
      this.laneOf(position).set(position.offset, letter);
      this.witness.happened('comes again', letter, `${letter} comes again, as ${where(position, letter)}`);
    } else if (isRetryTopic(topic)) fate.retries += 1;
    if (this.acrossRetries && (topic === OUTPUT || topic === DEAD_LETTERS) && this.witness.message(letter)?.kind !== 'unreadable') {
      this.keepsOrder(letter, `${letter} left for good`);
    }
    this.oneDoor(letter, fate);
  }

  /** A message is delivered once, however often it was sent. */
  private putOut(letter: string, fate: Fate): void {
    const id = this.witness.message(letter)?.id;
    const before = [...this.fates].find(([other, { outputs }]) => outputs > 0 && this.witness.message(other)?.id === id);
    if (before !== undefined) {
      const [other] = before;
      this.witness.breaks(
        'repeated',
        `${letter} is delivered; ${other === letter ? 'it' : `${other}, the same message,`} was delivered before`,
      );
    }
    fate.outputs += 1;
  }

  /** Of those that came before it under its key each must have left for good. */
  private keepsOrder(letter: string, what: string): void {
    const first = this.firstAt.get(letter);
    const key = this.witness.message(letter)?.key;
    for (const [other, position] of this.firstAt) {
      if (first === undefined || position.partition !== first.partition || position.offset >= first.offset) continue;
      const earlier = this.witness.message(other);
      const { outputs, deadLetters, filtered } = this.fateOf(other);
      if (earlier === undefined || earlier.kind === 'unreadable' || earlier.key !== key || outputs + deadLetters.length + filtered > 0)
        continue;
      this.witness.breaks('order', `${what} before ${where(position, other)} of the same key had left for good`);
    }
  }

  private oneDoor(letter: string, { outputs, deadLetters, filtered }: Fate): void {
    if (outputs + deadLetters.length + filtered <= 1) return;
    const doors = [
      ...deadLetters.map((why) => `dead-lettered (${why})`),
      ...Array<string>(outputs).fill('delivered'),
      ...Array<string>(filtered).fill('filtered'),
    ];
    this.witness.breaks('law', `${letter} left by ${doors.length} doors: ${doors.join(' and ')}`);
  }

  private committed(process: string, group: string, place: Omit<Place, 'offset'>, progress: NonNullable<WriteUnit['progress']>): void {
    const covered = this.coveredOf(group, place);
    const name = `${place.topic}/${place.partition}`;
    if (progress.offset < covered.committed) {
      this.witness.breaks('commit', `${process} moved ${group} back in ${name}, from ${covered.committed} to ${progress.offset}`);
    }
    if (group === WORKER_GROUP && progress.offset > covered.committed) {
      this.witness.happened(
        `commit ${place.partition}`,
        progress.offset.toString(36).at(-1)!,
        `${process} commits ${name} up to ${progress.offset}`,
      );
    }
    for (let offset = covered.committed; offset < progress.offset; offset += 1) this.passes(process, group, { ...place, offset }, covered);
    for (const [from, to] of decodeRanges(progress.beyond, progress.offset)) {
      for (let offset = from; offset < to; offset += 1) this.passes(process, group, { ...place, offset }, covered);
    }
    covered.committed = Math.max(covered.committed, progress.offset);
  }

  /** Progress covers a record: it must have left, and what it left behind must be in the log. */
  private passes(process: string, group: string, place: Place, covered: Covered): void {
    if (covered.offsets.has(place.offset)) return;
    covered.offsets.add(place.offset);
    const letter = this.witness.letterAt(place);
    const all = this.handOuts.get(handOutName(process, group, place)) ?? [];
    const handOut = all.findLast(({ ending }) => ending !== 'released') ?? all.at(-1);
    const name = where(place, letter);
    if (handOut?.ending === undefined || handOut.ending === 'released') {
      const state = handOut === undefined ? 'was never handed to it' : handOut.ending === undefined ? 'is still in flight' : 'was released';
      this.witness.breaks('commit', `${process} committed past ${name}, which ${state}`);
      return;
    }
    const fate = this.fateOf(letter);
    if (group === RETRY_GROUP) {
      if (fate.redelivered === 0 && fate.deadLetters.length === 0)
        this.witness.breaks('lost', `${process} settled the retry of ${name}, and nothing came of it`);
      return;
    }
    if (handOut.ending === 'filtered') {
      fate.filtered += 1;
      this.oneDoor(letter, fate);
    }
    const kept = {
      delivered: fate.outputs > 0,
      retried: fate.retries > 0,
      dead_lettered: fate.deadLetters.length > 0,
      filtered: this.mayBeFiltered(letter),
    }[handOut.ending];
    if (!kept)
      this.witness.breaks('lost', `${process} settled ${name} as ${handOut.ending.replace('_', '-')}, and nothing of it is in the log`);
  }

  /** What nobody wants may go; a duplicate only when the other one was delivered. */
  private mayBeFiltered(letter: string): boolean {
    const message = this.witness.message(letter);
    if (message === undefined || message.kind === 'unwanted') return true;
    return [...this.fates].some(([other, { outputs }]) => outputs > 0 && this.witness.message(other)?.id === message.id);
  }

  private letterOfDeadLetter(value: Buffer | null): string | undefined {
    const envelope = JSON.parse(value?.toString('utf8') ?? 'null') as {
      readonly original_topic: string;
      readonly original_partition: number;
      readonly original_offset: number;
    };
    const { original_topic: topic, original_partition: partition, original_offset: offset } = envelope;
    return this.witness.letterAt({ topic, partition, offset });
  }

  private isCurrent({ process, group, place, epoch }: HandOut & { readonly epoch: number }): boolean {
    const { holder } = this.coveredOf(group, place);
    return holder?.process === process && holder.epoch === epoch;
  }

  private free(group: string, place: Omit<Place, 'offset'>, member: string): void {
    const covered = this.coveredOf(group, place);
    if (covered.holder?.process === processOf(member)) covered.holder = undefined;
  }

  private coveredOf(group: string, place: Omit<Place, 'offset'>): Covered {
    const name = partitionName(group, place);
    let covered = this.partitions.get(name);
    if (covered === undefined) {
      covered = { offsets: new Set(), committed: 0, holder: undefined };
      this.partitions.set(name, covered);
    }
    return covered;
  }

  private laneOf(place: Omit<Place, 'offset'>): Map<number, string> {
    const name = partitionName('', place);
    let lane = this.lanes.get(name);
    if (lane === undefined) {
      lane = new Map();
      this.lanes.set(name, lane);
    }
    return lane;
  }

  private fateOf(letter: string): Fate {
    let fate = this.fates.get(letter);
    if (fate === undefined) {
      fate = { outputs: 0, deadLetters: [], filtered: 0, retries: 0, redelivered: 0 };
      this.fates.set(letter, fate);
    }
    return fate;
  }
}

/** The process that a member lives in; `Process.member` names it so. */
function processOf(member: string): string {
  return member.slice(0, member.indexOf('.'));
}

function handOutName(process: string, group: string, { topic, partition, offset }: Omit<Place, 'epoch'>): string {
  return `${process} ${group} ${topic}/${partition}@${offset}`;
}

function where({ topic, partition, offset }: Place, letter: string): string {
  return topic === INPUT ? `${letter} (${partition}@${offset})` : `${letter} (${topic}/${partition}@${offset})`;
}

function reasonIn(value: Buffer | null): string {
  return (JSON.parse(value?.toString('utf8') ?? 'null') as { readonly reason: string }).reason;
}

/** Where a message must end, whatever happens on the way. */
function expectedDoor(
  kind: 'good' | 'unreadable' | 'unwanted',
  deeds: readonly { readonly kind: 'answer' | 'fail' | 'refuse' }[],
): 'delivered' | 'filtered' | 'dead_lettered' {
  if (kind === 'unreadable') return 'dead_lettered';
  if (kind === 'unwanted') return 'filtered';
  for (let attempt = 0; attempt <= RETRY_DELAYS_MS.length; attempt += 1) {
    const deed = deeds[Math.min(attempt, deeds.length - 1)]!;
    if (deed.kind === 'answer') return 'delivered';
    if (deed.kind === 'refuse') return 'dead_lettered';
  }
  return 'dead_lettered';
}
