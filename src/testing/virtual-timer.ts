import type { Rank, Task, VirtualTime } from './virtual-time.js';

export interface TimerOptions {
  readonly delay: number;
  readonly repeats: boolean;
  readonly rank: Rank;
}

/** What `setTimeout` and its like answer while time is virtual: enough of Node's timer for code that unrefs, refreshes or clears it. */
export class VirtualTimer {
  private task: Task | undefined;
  private referenced = true;
  /** When it was set. */
  readonly setAt: number;
  /** Its place in the order of those that were set. */
  readonly place: number;

  constructor(
    private readonly time: VirtualTime,
    private readonly callback: () => void,
    readonly options: TimerOptions,
  ) {
    this.setAt = time.now;
    this.place = time.place();
    this.arm(options.delay);
  }

  /** It will fire by another task, due at the same moment. */
  moves(task: Task): void {
    this.task = task;
  }

  fire(): void {
    const { repeats, delay } = this.options;
    this.task = undefined;
    // Armed again first, so that the callback may clear it; at least a millisecond on, or time would stand still.
    if (repeats) this.arm(Math.max(1, delay));
    this.callback();
  }

  private arm(delay: number): void {
    this.task = this.time.schedule(() => this.fire(), delay, this.options.rank, this);
  }

  close(): this {
    if (this.task !== undefined) this.task.cancelled = true;
    this.task = undefined;
    return this;
  }

  refresh(): this {
    this.close();
    this.arm(this.options.delay);
    return this;
  }

  ref(): this {
    this.referenced = true;
    return this;
  }

  unref(): this {
    this.referenced = false;
    return this;
  }

  hasRef(): boolean {
    return this.referenced;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.toPrimitive](): number {
    return this.time.numberOf(this);
  }
}
