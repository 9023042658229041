import { installClock, uninstallClock } from './process-clock.js';
export { microtasksDrained } from './process-clock.js';
import { type TimerOptions, VirtualTimer } from './virtual-timer.js';

/**
 * Among what is due at one moment, what was put off to "now" comes first; of timers and sources, who asked first. A periodic timer asks anew for each
 * of its moments, but of the timers that are due at one moment the one that was set first fires first: so it is in RxJS' own runner.
 */
export type Rank = 'source' | 'immediate' | 'timer';
const RANKS: Readonly<Record<Rank, number>> = { immediate: 0, source: 1, timer: 1 };

export interface Task {
  readonly at: number;
  readonly rank: number;
  readonly sequence: number;
  readonly run: () => void;
  /** The timer that it is for, where it is for one. */
  timer: VirtualTimer | undefined;
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

  /** A place in the order of those that ask. */
  place(): number {
    this.sequence += 1;
    return this.sequence;
  }

  schedule(run: () => void, delay: number, rank: Rank, timer?: VirtualTimer): Task {
    const task: Task = { at: this.now + Math.max(0, delay), rank: RANKS[rank], sequence: this.place(), run, timer, cancelled: false };
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
    const first = this.setFirst(task);
    if (first !== task) {
      const { timer } = task;
      task.timer = first.timer;
      first.timer = timer;
      task.timer!.moves(task);
      timer!.moves(first);
    }
    if (task.timer === undefined) task.run();
    else task.timer.fire();
  }

  /** Of the timers that are due with this one, the one that was set first; they lie at the top of the heap. */
  private setFirst(task: Task): Task {
    if (task.timer === undefined || task.rank === RANKS.immediate) return task;
    let first = task;
    const visit = (at: number): void => {
      const other = this.heap[at];
      if (other === undefined || other.at > this.now) return;
      const set = other.cancelled || other.rank !== task.rank ? undefined : other.timer?.place;
      if (set !== undefined && set < first.timer!.place) first = other;
      visit(2 * at + 1);
      visit(2 * at + 2);
    };
    visit(0);
    return first;
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
