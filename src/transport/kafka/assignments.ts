import { PenstockError } from '../../diagnostics/index.js';
import { nameOf } from '../balance.js';
import type { Progress } from '../ledger.js';
import type { PartitionName } from '../log-store.js';
import type { PartitionOffsets } from '../transport.js';
import { commitText, type Held, hold, isAnother, removedBefore, startOf } from './held-partition.js';
import type { Intake } from './intake.js';
import type { MarkTopics } from './mark-topics.js';
import type { Session } from './session.js';
import type { TopicDirectory } from './topic-directory.js';

export interface AssignmentsOptions {
  readonly group: string;
  readonly from: 'earliest' | 'latest';
  readonly intake: Intake;
  readonly directory: Pick<TopicDirectory, 'progress' | 'offsetsOf' | 'topicIds'>;
  readonly marks: Pick<MarkTopics, 'restore'>;
  session(): Pick<Session, 'seek' | 'pause' | 'resume'> | undefined;
  /** An assignment was made; what it means is not known yet. */
  made(): void;
  /** It is known which of the partitions that were held before are held still. */
  checked(): void;
  /** Every partition of it has begun. */
  begun(): void;
  /** What is held has changed. */
  changed(): void;
  /** It could not be looked up; it is tried again after the pause. */
  failed(error: PenstockError): void;
  pause(attempt: number): Promise<void>;
  /** Commits where the group begins, so that whoever comes next begins there as well; waits until that is possible, or `isOver`. */
  keep(places: readonly Place[], isOver: () => boolean): Promise<void>;
  onWarning(error: Error): void;
}

/** Where a partition begins. */
export interface Place extends PartitionName {
  readonly progress: Progress;
}

/** What an assignment means: which partitions go on where they are, which begin, and where. */
export class Assignments {
  /** Grows with each assignment, so that what belongs to an older one is known. */
  private count = 0;
  private epochs = 0;
  private madeAt = 0;
  private open = false;
  /** Where the group stood in partitions whose log was cut: the client may have overwritten it. */
  private readonly stood = new Map<string, Progress>();
  /** How many partitions a topic had when the first of them began here. */
  private readonly widths = new Map<string, number>();
  /** What the group has given to this member; some of it may not have begun. */
  private assigned: readonly PartitionName[] = [];
  /** Partitions whose log is not the one that the group's commits are of. */
  private readonly anew = new Set<string>();

  constructor(private readonly options: AssignmentsOptions) {}

  /** When the last one was made, in milliseconds since 1970; 0 while there is none. */
  get since(): number {
    return this.madeAt;
  }

  /** Whether every partition of the last one has begun. */
  get understood(): boolean {
    return !this.open;
  }

  /** The session is over: nothing is assigned. */
  end(): void {
    this.count += 1;
    this.open = false;
    this.madeAt = 0;
    this.assigned = [];
    this.options.intake.clear();
  }

  /** `continuous`: the place in the group was never lost. */
  make(partitions: readonly PartitionName[], continuous: boolean): void {
    this.count += 1;
    this.madeAt = Date.now();
    this.assigned = partitions;
    const { intake, session } = this.options;
    const names = new Set(partitions.map(nameOf));
    // Whoever has it now leaves commits of the new log.
    for (const name of this.anew) if (!names.has(name)) this.anew.delete(name);
    this.stood.clear();
    for (const held of intake.all) {
      if (continuous && names.has(nameOf(held))) session()?.seek(held, held.buffer.next);
      else {
        intake.forget(held);
        session()?.resume(held);
      }
    }
    // Nothing of a new partition is taken before it is known where to begin.
    for (const partition of partitions) if (intake.of(partition) === undefined) session()?.pause(partition);
    this.options.made();
    this.options.changed();
    void this.understand(this.count);
  }

  /** Nobody here reads these topics any more: nothing of them is taken, also while they stay assigned. */
  leave(topics: readonly string[]): void {
    const left = this.assigned.filter(({ topic }) => topics.includes(topic));
    this.assigned = this.assigned.filter(({ topic }) => !topics.includes(topic));
    for (const partition of left) this.forget(partition);
  }

  /** The log of a partition ends before what was read of it: what was read is dropped, and it is begun anew where the group stands. */
  cut(held: Held, end: number): void {
    const { topic, partition, buffer } = held;
    this.warn('PS3004', `${topic}/${partition} ends at ${end}, it was read up to ${buffer.next}: it was cut, and is begun anew`);
    this.stood.set(nameOf(held), held.stands);
    this.forget(held);
    this.again();
  }

  /** A topic was deleted and made: what was read of it is dropped, and it is read from its start, wherever the group stood in the one before. */
  madeAnew(topic: string): void {
    if (this.another(topic)) this.again();
  }

  /** Drops what was read of a topic that is another one now; false when there is nothing of it. */
  private another(topic: string): boolean {
    const found = this.options.intake.all.filter((held) => held.topic === topic);
    if (found.length === 0) return false;
    this.warn('PS3004', `topic ${topic} was made anew: it is read from its start`);
    for (const held of found) {
      this.anew.add(nameOf(held));
      this.forget(held);
    }
    this.options.changed();
    return true;
  }

  /** Records were removed from the log before they were read. */
  removed({ topic, partition }: PartitionName, count: number, start: number): void {
    this.warn('PS3013', `${topic}/${partition} begins at ${start}: ${count} records were removed before they were read`);
  }

  private again(): void {
    this.count += 1;
    this.options.made();
    this.options.changed();
    // All that is assigned, not only what has begun: others may have been dropped a moment ago.
    void this.understand(this.count);
  }

  /** Looks up where the group stands, and begins there; tries again until it is known or the assignment is over. */
  private async understand(count: number): Promise<void> {
    const { group, from, intake, directory, marks, failed, checked, begun, pause } = this.options;
    this.open = true;
    for (let attempt = 1; this.count === count; attempt += 1) {
      try {
        const topics = topicsOf(this.assigned);
        const [committed, ids] = await Promise.all([directory.progress(group, topics), directory.topicIds(topics)]);
        if (this.count !== count) return;
        for (const topic of topicsOf(intake.all.filter((held) => isAnother(held, ids.get(held.topic))))) this.another(topic);
        for (const held of intake.all) this.check(held, committed.get(nameOf(held)));
        // What stays goes on at once: while members come and go, what is new may take long to begin.
        checked();
        const isFresh = (partition: PartitionName) => intake.of(partition) === undefined;
        const fresh = this.assigned.filter(isFresh);
        const bounds = await directory.offsetsOf(topicsOf(fresh));
        await marks.restore(fresh, Date.now());
        if (this.count !== count) return;
        for (const [topic, { length }] of bounds) if (!this.widths.has(topic)) this.widths.set(topic, length);
        const places = this.assigned.filter(isFresh).flatMap((partition): readonly (Place & { readonly found: PartitionOffsets })[] => {
          const found = bounds.get(partition.topic)?.[partition.partition];
          return found === undefined
            ? []
            : [{ ...partition, found, progress: this.placeOf(partition, committed.get(nameOf(partition)), found) }];
        });
        // What a group has committed of a log that is gone would be taken for a place in the new one.
        const unkept = places.filter((place) => this.anew.has(nameOf(place)) || (from === 'latest' && !committed.has(nameOf(place))));
        if (unkept.length > 0) await this.options.keep(unkept, () => this.count !== count);
        if (this.count !== count) return;
        for (const place of places) {
          if (this.assigned.some(isSame(place))) this.begin(place, place.found, ids.get(place.topic));
        }
        this.open = false;
        begun();
        return;
      } catch (error) {
        failed(error as PenstockError);
        await pause(attempt);
      }
    }
  }

  /** A partition that stayed through an assignment may have been somebody else's in between: then it is begun anew. */
  private check(held: Held, committed: Progress | undefined): void {
    if (committed === undefined || held.commits.includes(commitText(committed))) return;
    this.forget(held);
    this.options.changed();
  }

  private forget(partition: PartitionName): void {
    this.options.intake.forget(partition);
    this.options.session()?.pause(partition);
  }

  /** Where to begin, and what has to be said of it. */
  private placeOf(partition: PartitionName, answer: Progress | undefined, bounds: PartitionOffsets): Progress {
    const { group } = this.options;
    const overwritten = answer !== undefined && answer.offset === 0 && answer.beyond.length === 0;
    const committed = overwritten ? (this.stood.get(nameOf(partition)) ?? answer) : answer;
    const fromStart = { offset: bounds.start, beyond: new Uint8Array(0) };
    if (this.anew.has(nameOf(partition))) return fromStart;
    // A partition that was added while the topic was read has nothing from before.
    const from = partition.partition < (this.widths.get(partition.topic) ?? Infinity) ? this.options.from : 'earliest';
    const progress = startOf(committed, bounds, from);
    if (progress === undefined) {
      const text = `${partition.topic}/${partition.partition} ends at ${bounds.end}, group ${group} has come to ${committed!.offset}`;
      this.warn('PS3004', `${text}: the topic was made anew or cut; it is read from its start`);
      return fromStart;
    }
    const count = committed === undefined ? 0 : removedBefore(committed, bounds.start);
    if (count > 0) this.removed(partition, count, bounds.start);
    return progress;
  }

  private begin({ topic, partition, progress }: Place, { end }: PartitionOffsets, topicId: string | undefined): void {
    this.anew.delete(nameOf({ topic, partition }));
    this.stood.delete(nameOf({ topic, partition }));
    this.epochs += 1;
    this.options.intake.begin(hold({ topic, partition }, { epoch: this.epochs, progress, topicId, end, now: Date.now() }), progress.offset);
  }

  private warn(code: 'PS3004' | 'PS3013', message: string): void {
    this.options.onWarning(new PenstockError(code, message, { category: 'permanent' }));
  }
}

function topicsOf(partitions: readonly PartitionName[]): readonly string[] {
  return [...new Set(partitions.map(({ topic }) => topic))];
}

function isSame(place: PartitionName): (other: PartitionName) => boolean {
  const name = nameOf(place);
  return (other) => nameOf(other) === name;
}
