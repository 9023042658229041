import { installClock, uninstallClock } from './process-clock.js';
export { microtasksDrained } from './process-clock.js';
import { type TimerOptions, VirtualTimer } from './virtual-timer.js';

/** Among what is due at one moment, what was put off to "now" comes first; of timers and sources, who asked first: so it is in RxJS' own runner. */
export type Rank = 'source' | 'immediate' | 'timer';
const RANKS: Readonly<Record<Rank, number>> = { immediate: 0, source: 1, timer: 1 };

export interface Task {
  readonly at: number;
  readonly rank: number;
  readonly sequence: number;
  readonly run: () => void;
  /** The timer that it is, where it is one. */
  readonly timer: VirtualTimer | undefined;
  cancelled: boolean;
}

// Timers and dates belong to the process, so one run at a time has them.
let lastRun: Promise<void> = Promise.resolve();
let taken = false;

/** Runs with the process's timers to itself; others wait for their turn. */
export async function alone<T>(run: () => Promise<T>): Promise<T> {
  const before = lastRun;
  let done: () => void = () => undefined;
  lastRun = new Promise((resolve) => {
    done = resolve;
  });
  await before;
  taken = true;
  try {
    return await run();
  } finally {
    taken = false;
    done();
  }
}

/** Whether some run has the timers at this moment. */
export function timersTaken(): boolean {
  return taken;
}

/** A clock that stands still until it is stepped, with the timers and dates of the process following it while it is installed. */
export class VirtualTime {
  /** Milliseconds since the run began. */
  now = 0;
  private readonly heap: Task[] = [];
  private readonly numbers = new Map<number, VirtualTimer>();
  private sequence = 0;
  private timers = 0;
  private installed = false;

  /** `startAt` is what the calendar shows at the beginning, in milliseconds since 1970. */
  constructor(private readonly startAt = 0) {}

  /** A place in the order of those that are due at one moment; a periodic timer keeps the one it began with. */
  place(): number {
    this.sequence += 1;
    return this.sequence;
  }

  schedule(
    run: () => void,
    delay: number,
    rank: Rank,
    { sequence = this.place(), timer }: { readonly sequence?: number; readonly timer?: VirtualTimer } = {},
  ): Task {
    const task: Task = { at: this.now + Math.max(0, delay), rank: RANKS[rank], sequence, run, timer, cancelled: false };
    this.heap.push(task);
    this.rise(this.heap.length - 1);
    return task;
  }

  /** When the next task is due; none when nothing is scheduled. */
  get nextAt(): number | undefined {
    while (this.heap[0]?.cancelled === true) this.pop();
    return this.heap[0]?.at;
  }

  /** Moves to the next task and runs it. What it throws is thrown. */
  step(): void {
    if (this.nextAt === undefined) return;
    const task = this.pop();
    this.now = Math.max(this.now, task.at);
    task.run();
  }

  /** Sets a timer. */
  timer(callback: () => void, options: TimerOptions): VirtualTimer {
    return new VirtualTimer(this, callback, options);
  }

  /** Timers that are still to fire and would keep a process alive. */
  leftOver(): readonly VirtualTimer[] {
    return this.heap.flatMap(({ cancelled, timer }) => (cancelled || timer?.hasRef() !== true ? [] : [timer]));
  }

  numberOf(timer: VirtualTimer): number {
    this.timers += 1;
    this.numbers.set(this.timers, timer);
    return this.timers;
  }

  numbered(number: number): VirtualTimer | undefined {
    return this.numbers.get(number);
  }

  install(): void {
    this.installed = true;
    installClock(this, this.startAt);
  }

  /** Puts the process's own timers and dates back. May be called twice. */
  uninstall(): void {
    if (!this.installed) return;
    this.installed = false;
    uninstallClock();
  }

  private before(a: Task, b: Task): boolean {
    if (a.at !== b.at) return a.at < b.at;
    return a.rank === b.rank ? a.sequence < b.sequence : a.rank < b.rank;
  }

  private rise(at: number): void {
    const { heap } = this;
    for (let parent = (at - 1) >> 1; at > 0 && this.before(heap[at]!, heap[parent]!); parent = (at - 1) >> 1) {
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  private pop(): Task {
    const { heap } = this;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      let at = 0;
      for (;;) {
        let least = at;
        for (const child of [2 * at + 1, 2 * at + 2]) if (child < heap.length && this.before(heap[child]!, heap[least]!)) least = child;
        if (least === at) break;
        [heap[at], heap[least]] = [heap[least]!, heap[at]!];
        at = least;
      }
    }
    return top;
  }
}
