import type { SchedulerLike } from 'rxjs';
import { PenstockError } from '../diagnostics/index.js';
import type { LogStore, WriteResult, WriteUnit } from './log-store.js';

/** Somebody with something to write. */
export interface CommitJob {
  /** What to write now; asked for when the transaction begins, so that it holds all that has gathered. */
  unit(): WriteUnit;
  /** It is durable (or this unit alone was turned away). */
  done(result: WriteResult): void;
  /** Nothing was written. True: try again; false: the job has given up. Not asked when the log closes: then the unit counts as fenced. */
  failed(error: PenstockError): boolean;
}

export interface CommitterOptions {
  readonly store: Pick<LogStore, 'write'>;
  readonly clock: SchedulerLike;
  readonly retryMs: number;
  /**
   * How many writes may be out at once, each of one job: for a log on which one partition's wait for the brokers need not be another's. Defaults to
   * 1, which takes all jobs that have gathered.
   */
  readonly mostWrites?: number;
  /** The fault began or ended. */
  onFault(): void;
  onWarning(error: Error): void;
}

const MOST_JOBS = 1024;

const PROBE: WriteUnit = { lease: undefined, progress: undefined, records: [], marks: [] };

/**
 * Group commit: one transaction is out at a time (or `mostWrites`), and what arrives meanwhile goes together into the next. A transaction that fails is
 * tried again until the log takes it; while it does not, `fault` has the reason, and everything goes together into one write at a time.
 */
export class Committer {
  private readonly jobs: CommitJob[] = [];
  private readonly mostWrites: number;
  private workers = 0;
  private current: PenstockError | undefined;
  private readonly idlers: (() => void)[] = [];
  private ended = false;
  private abandoned = false;
  private readonly writing = new Set<CommitJob>();

  constructor(private readonly options: CommitterOptions) {
    this.mostWrites = options.mostWrites ?? 1;
  }

  get fault(): PenstockError | undefined {
    return this.current;
  }

  add(job: CommitJob): void {
    if (this.abandoned) {
      queueMicrotask(() => this.forget(job));
      return;
    }
    this.jobs.push(job);
    this.start();
  }

  /** Somebody else met a failing write: the log is watched until it takes one again. */
  report(error: PenstockError): void {
    this.setFault(error);
    this.start();
  }

  /** Resolves when nothing is left to write, or when writing has become hopeless by `end`. */
  idle(): Promise<void> {
    if (this.workers === 0) return Promise.resolve();
    return new Promise((resolve) => this.idlers.push(resolve));
  }

  /** From now on a transaction that fails is not tried again: what was in it counts as released. */
  end(): void {
    this.ended = true;
  }

  /** Waits for nothing any more: what is written now, or waits to be, counts as released. Whatever becomes of it, it is whole or absent. */
  abandon(): void {
    this.ended = true;
    this.abandoned = true;
    for (const job of this.writing) this.giveUp(job);
    this.writing.clear();
    for (const job of this.jobs.splice(0)) this.forget(job);
  }

  private start(): void {
    if (this.workers >= (this.current === undefined ? this.mostWrites : 1)) return;
    this.workers += 1;
    // The rest of this turn's settlements travel with the first.
    queueMicrotask(() => void this.work());
  }

  private async work(): Promise<void> {
    while (this.jobs.length > 0 || this.current !== undefined) {
      // While there is a fault, one is enough to find its end.
      if (this.current !== undefined && this.workers > 1) break;
      const alone = this.mostWrites === 1 || this.current !== undefined;
      const jobs = this.jobs.splice(0, alone ? MOST_JOBS : 1);
      const failure = await this.commit(jobs);
      if (failure === undefined) continue;
      // They have been told.
      if (this.abandoned) break;
      for (const job of jobs) if (job.failed(failure)) this.jobs.push(job);
      if (this.ended) {
        for (const job of this.jobs.splice(0)) this.giveUp(job);
        break;
      }
      if (this.workers === 1) await this.pause();
    }
    this.workers -= 1;
    if (this.jobs.length > 0) this.start();
    if (this.workers === 0) for (const resolve of this.idlers.splice(0)) resolve();
  }

  private async commit(jobs: readonly CommitJob[]): Promise<PenstockError | undefined> {
    const before = this.current;
    try {
      const units = jobs.length === 0 ? [PROBE] : jobs.map((job) => job.unit());
      for (const job of jobs) this.writing.add(job);
      const results = await this.options.store.write(units);
      // A write that began before the fault says nothing of it.
      if (this.current === before) this.setFault(undefined);
      if (!this.abandoned) jobs.forEach((job, index) => this.tell(job, results[index]!));
      return undefined;
    } catch (error) {
      const failure =
        error instanceof PenstockError ? error : new PenstockError('PS3001', 'the log did not take a write', { cause: error });
      this.setFault(failure);
      return failure;
    } finally {
      for (const job of jobs) this.writing.delete(job);
    }
  }

  /** A listener's mistake is its own: the other claims of this commit are told all the same. */
  private tell(job: CommitJob, result: WriteResult): void {
    try {
      job.done(result);
    } catch (error) {
      this.options.onWarning(new PenstockError('PS7000', 'a listener of a settled delivery threw', { cause: error }));
    }
  }

  private giveUp(job: CommitJob): void {
    this.tell(job, { kind: 'fenced' });
  }

  /** A job that was never asked what to write has to be: it takes what it tells of from there. */
  private forget(job: CommitJob): void {
    job.unit();
    this.giveUp(job);
  }

  private setFault(fault: PenstockError | undefined): void {
    const changed = (fault === undefined) !== (this.current === undefined);
    this.current = fault;
    if (changed) this.options.onFault();
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      this.options.clock.schedule(() => resolve(), this.options.retryMs);
    });
  }
}
