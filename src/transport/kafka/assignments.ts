import { PenstockError } from '../../diagnostics/index.js';
import { nameOf } from '../balance.js';
import type { Progress } from '../ledger.js';
import type { PartitionName } from '../log-store.js';
import type { PartitionOffsets } from '../transport.js';
import { commitText, type Held, hold, removedBefore, startOf } from './held-partition.js';
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
  onWarning(error: Error): void;
}

/** What an assignment means: which partitions go on where they are, which begin, and where. */
export class Assignments {
  /** Grows with each assignment, so that what belongs to an older one is known. */
  private count = 0;
  private epochs = 0;
  private madeAt = 0;
  private open = false;
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
    this.options.intake.clear();
  }

  /** `continuous`: the place in the group was never lost. */
  make(partitions: readonly PartitionName[], continuous: boolean): void {
    this.count += 1;
    this.madeAt = Date.now();
    const { intake, session } = this.options;
    const names = new Set(partitions.map(nameOf));
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
    void this.understand(this.count, partitions);
  }

  /** The log of a partition ends before what was read of it: what was read is dropped, and it is begun anew where the group stands. */
  cut(held: Held, end: number): void {
    const { topic, partition, buffer } = held;
    this.warn('PS3004', `${topic}/${partition} ends at ${end}, it was read up to ${buffer.next}: it was cut, and is begun anew`);
    this.again([held]);
  }

  /** A topic was deleted and made: what was read of it is dropped, and it is read from its start, wherever the group stood in the one before. */
  madeAnew(topic: string): void {
    const found = this.options.intake.all.filter((held) => held.topic === topic);
    if (found.length === 0) return;
    for (const held of found) this.anew.add(nameOf(held));
    this.warn('PS3004', `topic ${topic} was made anew: it is read from its start`);
    this.again(found);
  }

  /** Records were removed from the log before they were read. */
  removed({ topic, partition }: PartitionName, count: number, start: number): void {
    this.warn('PS3013', `${topic}/${partition} begins at ${start}: ${count} records were removed before they were read`);
  }

  private again(dropped: readonly Held[]): void {
    for (const held of dropped) this.forget(held);
    this.count += 1;
    this.options.made();
    this.options.changed();
    void this.understand(this.count, [...this.options.intake.all, ...dropped]);
  }

  /** Looks up where the group stands, and begins there; tries again until it is known or the assignment is over. */
  private async understand(count: number, partitions: readonly PartitionName[]): Promise<void> {
    const { group, intake, directory, marks, failed, checked, begun, pause } = this.options;
    this.open = true;
    for (let attempt = 1; this.count === count; attempt += 1) {
      try {
        const committed = await directory.progress(group, topicsOf(partitions));
        if (this.count !== count) return;
        for (const held of intake.all) this.check(held, committed.get(nameOf(held)));
        // What stays goes on at once: while members come and go, what is new may take long to begin.
        checked();
        const fresh = partitions.filter((partition) => intake.of(partition) === undefined);
        const [bounds, ids] = await Promise.all([directory.offsetsOf(topicsOf(fresh)), directory.topicIds(topicsOf(fresh))]);
        await marks.restore(fresh, Date.now());
        if (this.count !== count) return;
        for (const partition of fresh) {
          const found = bounds.get(partition.topic)?.[partition.partition];
          if (found !== undefined) this.begin(partition, committed.get(nameOf(partition)), found, ids.get(partition.topic));
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

  private forget(held: Held): void {
    this.options.intake.forget(held);
    this.options.session()?.pause(held);
  }

  private begin(partition: PartitionName, committed: Progress | undefined, bounds: PartitionOffsets, topicId: string | undefined): void {
    const { group, from, intake } = this.options;
    const fromStart = { offset: bounds.start, beyond: new Uint8Array(0) };
    let progress = this.anew.delete(nameOf(partition)) ? fromStart : startOf(committed, bounds, from);
    if (progress === undefined) {
      const text = `${partition.topic}/${partition.partition} ends at ${bounds.end}, group ${group} has come to ${committed!.offset}`;
      this.warn('PS3004', `${text}: the topic was made anew or cut; it is read from its start`);
      progress = fromStart;
    } else if (committed !== undefined) {
      const count = removedBefore(committed, bounds.start);
      if (count > 0) this.removed(partition, count, bounds.start);
    }
    this.epochs += 1;
    const { offset } = progress;
    intake.begin(hold(partition, { epoch: this.epochs, progress, topicId, end: bounds.end, now: Date.now() }), offset);
  }

  private warn(code: 'PS3004' | 'PS3013', message: string): void {
    this.options.onWarning(new PenstockError(code, message, { category: 'permanent' }));
  }
}

function topicsOf(partitions: readonly PartitionName[]): readonly string[] {
  return [...new Set(partitions.map(({ topic }) => topic))];
}
