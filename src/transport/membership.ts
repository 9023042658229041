import type { SchedulerLike, Subscription } from 'rxjs';
import { PenstockError } from '../diagnostics/index.js';
import type { BeatAnswer, GroupStore, PartitionName } from './log-store.js';

export interface MembershipOptions {
  readonly store: GroupStore;
  readonly clock: SchedulerLike;
  readonly group: string;
  readonly topics: readonly string[];
  readonly from: 'earliest' | 'latest';
  readonly member: string;
  /** Ends, before each heartbeat, what this member gives back with it. */
  surrender(): readonly PartitionName[];
  assign(answer: BeatAnswer): void;
  failed(error: PenstockError): void;
}

/** After a heartbeat that failed, in milliseconds. */
const AGAIN_MS = 250;

/** One member's place in its group: heartbeats, one at a time, at the pace of the lease and whenever the group may have changed. */
export class Membership {
  private beating = false;
  private wanted = false;
  private left = false;
  /** The heartbeats that are out; never rejects. */
  private beaten: Promise<void> = Promise.resolve();
  private seen = '';
  /** Given up here and not yet handed back in the store. */
  private readonly owed: PartitionName[] = [];
  private readonly timers = new Set<Subscription>();

  constructor(private readonly options: MembershipOptions) {}

  join(): void {
    const { leaseMs } = this.options.store;
    if (leaseMs !== undefined) this.beatEvery(leaseMs / 3);
    void this.beat();
  }

  /** Beats when another answer than the last is possible. */
  look(): void {
    if (this.shape() !== this.seen) void this.beat();
  }

  /** A call while a heartbeat is out makes another follow. */
  beat(): Promise<void> {
    this.wanted = true;
    if (!this.beating) this.beaten = this.beatAll();
    return this.beaten;
  }

  private async beatAll(): Promise<void> {
    this.beating = true;
    while (this.wanted && !this.left) {
      this.wanted = false;
      try {
        await this.beatOnce();
      } catch (error) {
        this.options.failed(
          error instanceof PenstockError ? error : new PenstockError('PS3001', 'the log did not answer a heartbeat', { cause: error }),
        );
        this.later(AGAIN_MS, () => void this.beat());
        break;
      }
    }
    this.beating = false;
  }

  /** No more heartbeats; the place in the store is given up by `depart`. */
  stop(): void {
    this.left = true;
    for (const timer of this.timers) timer.unsubscribe();
    this.timers.clear();
  }

  async depart(): Promise<void> {
    this.stop();
    // A heartbeat that is still on its way would make this a member again.
    await this.beaten;
    await this.options.store.leave(this.options.group, this.options.member);
  }

  private async beatOnce(): Promise<void> {
    const { store, group, topics, from, member } = this.options;
    this.owed.push(...this.options.surrender());
    const surrendered = [...this.owed];
    // Taken before the answer: what changes meanwhile is asked for again.
    this.seen = this.shape();
    const answer = await store.beat({ group, member, topics, from, surrendered });
    this.owed.splice(0, surrendered.length);
    if (!this.left) this.options.assign(answer);
  }

  private beatEvery(periodMs: number): void {
    this.later(periodMs, () => {
      void this.beat();
      this.beatEvery(periodMs);
    });
  }

  private later(delayMs: number, work: () => void): void {
    const timer = this.options.clock.schedule(() => {
      this.timers.delete(timer);
      if (!this.left) work();
    }, delayMs);
    this.timers.add(timer);
  }

  private shape(): string {
    return this.options.store.shapeOf(this.options.group, this.options.topics);
  }
}
