import { PenstockError } from '../../diagnostics/index.js';
import { nameOf } from '../balance.js';
import type { Progress } from '../ledger.js';
import type { PartitionName } from '../log-store.js';
import type { PartitionOffsets } from '../transport.js';
import { commitText, type Held, hold, startOf } from './held-partition.js';
import type { Intake } from './intake.js';
import type { MarkTopics } from './mark-topics.js';
import type { Session } from './session.js';
import type { TopicDirectory } from './topic-directory.js';

export interface AssignmentsOptions {
  readonly group: string;
  readonly from: 'earliest' | 'latest';
  readonly intake: Intake;
  readonly directory: Pick<TopicDirectory, 'progress' | 'offsetsOf'>;
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

  constructor(private readonly options: AssignmentsOptions) {}

  /** When the last one was made, in milliseconds since 1970; 0 while there is none. */
  get since(): number {
    return this.madeAt;
  }

  /** The session is over: nothing is assigned. */
  end(): void {
    this.count += 1;
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

  /** Forgets a partition whose log was cut, and begins it anew. */
  again(held: Held): void {
    this.forget(held);
    this.count += 1;
    this.options.made();
    this.options.changed();
    void this.understand(this.count, [...this.options.intake.all, held]);
  }

  /** Looks up where the group stands, and begins there; tries again until it is known or the assignment is over. */
  private async understand(count: number, partitions: readonly PartitionName[]): Promise<void> {
    const { group, intake, directory, marks, failed, checked, begun, pause } = this.options;
    for (let attempt = 1; this.count === count; attempt += 1) {
      try {
        const committed = await directory.progress(group, topicsOf(partitions));
        if (this.count !== count) return;
        for (const held of intake.all) this.check(held, committed.get(nameOf(held)));
        // What stays goes on at once: while members come and go, what is new may take long to begin.
        checked();
        const fresh = partitions.filter((partition) => intake.of(partition) === undefined);
        const bounds = await directory.offsetsOf(topicsOf(fresh));
        await marks.restore(fresh, Date.now());
        if (this.count !== count) return;
        for (const partition of fresh) {
          const found = bounds.get(partition.topic)?.[partition.partition];
          if (found !== undefined) this.begin(partition, committed.get(nameOf(partition)), found);
        }
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

  private begin(partition: PartitionName, committed: Progress | undefined, bounds: PartitionOffsets): void {
    const { group, from, intake, onWarning } = this.options;
    let progress = startOf(committed, bounds, from);
    if (progress === undefined) {
      const text = `${partition.topic}/${partition.partition} ends at ${bounds.end}, group ${group} has come to ${committed!.offset}`;
      onWarning(
        new PenstockError('PS3004', `${text}: the topic was made anew or cut; it is read from its start`, { category: 'permanent' }),
      );
      progress = { offset: bounds.start, beyond: new Uint8Array(0) };
    }
    this.epochs += 1;
    intake.begin(hold(partition, this.epochs, progress, bounds, Date.now()), progress.offset);
  }
}

function topicsOf(partitions: readonly PartitionName[]): readonly string[] {
  return [...new Set(partitions.map(({ topic }) => topic))];
}
