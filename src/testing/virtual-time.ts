import { performance as realPerformance } from 'node:perf_hooks';

type Callback = (...args: unknown[]) => void;

/** Among what is due at one moment, what was put off to "now" comes first; of timers and sources, who asked first: so it is in RxJS' own runner. */
export type Rank = 'source' | 'immediate' | 'timer';
const RANKS: Readonly<Record<Rank, number>> = { immediate: 0, source: 1, timer: 1 };

interface Task {
  readonly at: number;
  readonly rank: number;
  readonly sequence: number;
  readonly run: () => void;
  cancelled: boolean;
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  Date: globalThis.Date,
};

/** Resolves when every promise that can settle by itself has: one real turn of the event loop, whatever the timers say meanwhile. */
export function microtasksDrained(): Promise<void> {
  return new Promise((resolve) => {
    real.setImmediate(resolve);
  });
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

/** What `setTimeout` and its like answer while time is virtual: enough of Node's timer for code that unrefs, refreshes or clears it. */
class VirtualTimer {
  private task: Task | undefined;

  constructor(
    private readonly time: VirtualTime,
    private readonly callback: () => void,
    private readonly delay: number,
    private readonly repeats: boolean,
    private readonly rank: Rank,
  ) {
    this.arm(delay);
  }

  private arm(delay: number, place?: number): void {
    const sequence = place ?? this.time.place();
    this.task = this.time.schedule(
      () => {
        this.task = undefined;
        // Armed again first, so that the callback may clear it; at least a millisecond on, or time would stand still.
        if (this.repeats) this.arm(Math.max(1, this.delay), sequence);
        this.callback();
      },
      delay,
      this.rank,
      sequence,
    );
  }

  close(): this {
    if (this.task !== undefined) this.task.cancelled = true;
    this.task = undefined;
    return this;
  }

  refresh(): this {
    this.close();
    this.arm(this.delay);
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.toPrimitive](): number {
    return this.time.numberOf(this);
  }
}

/** A clock that stands still until it is stepped, with the timers and dates of the process following it while it is installed. */
export class VirtualTime {
  /** Milliseconds since the run began. */
  now = 0;
  private readonly heap: Task[] = [];
  private readonly numbered = new Map<number, VirtualTimer>();
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

  schedule(run: () => void, delay: number, rank: Rank, sequence = this.place()): Task {
    const task: Task = { at: this.now + Math.max(0, delay), rank: RANKS[rank], sequence, run, cancelled: false };
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

  numberOf(timer: VirtualTimer): number {
    this.timers += 1;
    this.numbered.set(this.timers, timer);
    return this.timers;
  }

  install(): void {
    this.installed = true;
    const timer =
      (rank: Rank, repeats: boolean) =>
      (callback: Callback, delay?: number, ...args: unknown[]) =>
        new VirtualTimer(this, () => callback(...args), Number.isFinite(Number(delay)) ? Number(delay ?? 0) : 0, repeats, rank);
    const clear = (handle: unknown): void => {
      if (handle instanceof VirtualTimer) handle.close();
      else if (typeof handle === 'number' || typeof handle === 'string') this.numbered.get(Number(handle))?.close();
    };
    const immediate = timer('immediate', false);
    Object.assign(globalThis, {
      setTimeout: timer('timer', false),
      setInterval: timer('timer', true),
      setImmediate: (callback: Callback, ...args: unknown[]) => immediate(callback, 0, ...args),
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
      Date: this.calendar(),
    });
    Object.defineProperty(realPerformance, 'now', { configurable: true, writable: true, value: () => this.now });
  }

  /** Puts the process's own timers and dates back. May be called twice. */
  uninstall(): void {
    if (!this.installed) return;
    this.installed = false;
    Object.assign(globalThis, real);
    Reflect.deleteProperty(realPerformance, 'now');
  }

  private calendar(): DateConstructor {
    const read = (): number => this.startAt + this.now;
    return new Proxy(real.Date, {
      construct: (target, args: [], newTarget: new () => object): object =>
        Reflect.construct(target, args.length === 0 ? [read()] : args, newTarget) as object,
      apply: () => new real.Date(read()).toString(),
      get: (target, name): unknown => (name === 'now' ? read : Reflect.get(target, name)),
    });
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
