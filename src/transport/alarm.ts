import type { SchedulerLike, Subscription } from 'rxjs';

/** One timer for whatever is due first. */
export class Alarm {
  private next: { readonly at: number; readonly timer: Subscription } | undefined;

  constructor(
    private readonly clock: SchedulerLike,
    private readonly ring: () => void,
  ) {}

  /** Rings at the time (milliseconds since 1970) or earlier; the times between are asked for again then. */
  at(time: number): void {
    if (this.next !== undefined && this.next.at <= time) return;
    this.next?.timer.unsubscribe();
    const timer = this.clock.schedule(
      () => {
        this.next = undefined;
        this.ring();
      },
      Math.max(0, time - this.clock.now()),
    );
    this.next = { at: time, timer };
  }

  stop(): void {
    this.next?.timer.unsubscribe();
    this.next = undefined;
  }
}
