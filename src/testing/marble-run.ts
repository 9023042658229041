import { Observable, Subject, type Subscriber, Subscription } from 'rxjs';
import { type ClaimOwner, type Delivery, type Ending, openDelivery, type Outcome } from '../../operators/index.js';
import { FUSED } from '../plugin/definition.js';
import { type Context, countsOf, type Passed, type PluginOperator } from '../plugin/index.js';
import { Acting } from './acting.js';
import type { Alphabet } from './alphabet.js';
import type { Lane, Listening, Mark } from './lane.js';
import { LogBench } from './log-bench.js';
import type { MarbleSubject, MarblesOptions } from './marbles.js';
import { Outside } from './outside.js';
import type { Played } from './play.js';
import { timersAreForeign } from './process-clock.js';
import { Recording } from './recording.js';
import { MarblesError } from './report.js';
import { VirtualTime } from './virtual-time.js';
import { WorkerOnLog } from './worker-on-log.js';

/** After the last moment that is drawn, so many timers may still fire before the run is taken to be at rest: periodic timers never end. */
const LAST_TASKS = 1000;
/** No drawing needs so many steps; a subject that does goes round in circles. */
const MOST_TASKS = 200_000;

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function isDelivery(value: unknown): value is Delivery<unknown> {
  return typeof value === 'object' && value !== null && 'settle' in value && 'whenSettled' in value;
}

function isPassed(value: unknown): value is Passed {
  return typeof value === 'object' && value !== null && 'context' in value && 'actions' in value && Array.isArray(value.actions);
}

/** The letter of the item that a context was made of; copies of the context keep it. */
const LETTER = Symbol('letter');

/** One drawing being played: the source, the claims of what enters, the sink, and the clock they share. */
export class MarbleRun {
  readonly recording: Recording;
  private readonly time: VirtualTime;
  private readonly alphabet: Alphabet;
  private readonly open = new Map<ClaimOwner, { readonly letter: string; readonly frame: number }>();
  private readonly outside = new Outside();
  private readonly timedOutBefore: ReadonlyMap<string, number>;
  private bench: LogBench | undefined;
  private readonly acting: Acting;
  private readonly performing = new Subject<Delivery<Passed>>();
  private readonly last: number;
  private subscription = new Subscription();
  private sinking = 0;
  private tasks = 0;
  private lastTasks = 0;

  constructor(
    private readonly subject: MarbleSubject,
    private readonly spec: { readonly drawn: ReadonlyMap<string, Lane>; readonly listening: Listening; readonly alphabet: Alphabet },
    private readonly options: MarblesOptions,
  ) {
    this.time = new VirtualTime(options.startAt);
    this.alphabet = spec.alphabet;
    this.recording = new Recording(spec.alphabet, () => this.time.now);
    this.acting = new Acting({
      recording: this.recording,
      letterOf: (context) => this.letterOf(context),
      mocks: options.mocks,
      performance: options.perform,
    });
    this.timedOutBefore = timedOut(subject);
    const { until, from, drainAt } = spec.listening;
    const drawnUntil = [...spec.drawn.values()].flatMap(({ length, marks }) => [length, marks.at(-1)?.frame ?? 0]);
    this.last = Math.max(0, ...drawnUntil, from, ...[until, drainAt].filter((at) => Number.isFinite(at)));
  }

  begin(): void {
    if (timersAreForeign()) {
      throw new MarblesError(
        'the timers of the process were replaced (by fake timers of a test runner?): put them back before a drawing is played',
      );
    }
    this.time.install();
    this.outside.close();
    if (this.subject instanceof WorkerOnLog) {
      this.bench = new LogBench(this.subject, {
        alphabet: this.alphabet,
        recording: this.recording,
        now: () => this.time.now,
        acting: (produce) => this.acting.onLog(produce),
      });
    }
    const { from, until, drainAt } = this.spec.listening;
    // As in RxJS' own marbles, leaving comes before what the source does in the same millisecond.
    if (Number.isFinite(until)) this.time.schedule(() => this.subscription.unsubscribe(), until, 'source');
    if (this.bench !== undefined && Number.isFinite(drainAt)) this.time.schedule(() => this.bench?.drain(), drainAt, 'source');
    const source = this.source(this.spec.drawn.get('in'));
    if (from === 0) this.subscribe(source);
    else this.time.schedule(() => this.subscribe(source), from, 'source');
  }

  /** Plays what is due next; answers whether there may be more. */
  step(): boolean {
    const next = this.time.nextAt;
    if (next === undefined) return false;
    if (next > this.last) {
      this.lastTasks += 1;
      if (this.lastTasks > LAST_TASKS) return false;
    }
    this.tasks += 1;
    if (this.tasks > MOST_TASKS)
      throw new MarblesError(`the subject does not come to rest: ${MOST_TASKS} timers fired by ${this.time.now} ms`);
    this.time.step();
    return true;
  }

  /** Resolves when everything that can happen in this moment has. */
  async quiet(): Promise<void> {
    await this.outside.quiet();
    await this.bench?.look();
  }

  /** Nothing is recorded any more and the subject is left; timers of what lets go may still be stepped. What happened is to be compared with the drawing. */
  end(): () => Played {
    const { recording, time, open, acting, spec, outside, subject, bench } = this;
    const before = { ...spec, recording, inFlight: bench?.inFlight ?? [...open.values()], mocks: acting.use };
    const pending = outside.pending();
    const asleep = time.nextAt === undefined;
    const at = time.now;
    recording.close();
    this.subscription.unsubscribe();
    bench?.close();
    this.lastTasks = 0;
    return () => ({
      ...before,
      rest: {
        at,
        asleep,
        pending,
        refused: outside.refused,
        leftOver: time.leftOver().map(({ setAt, options: { delay, repeats } }) => ({ setAt, delay, repeats })),
        timedOut: [...timedOut(subject)].filter(([name, times]) => times > (this.timedOutBefore.get(name) ?? 0)).map(([name]) => name),
      },
    });
  }

  /** Lets go of everything and puts the process's timers back, whatever happened. */
  dispose(): void {
    try {
      this.recording.close();
      this.subscription.unsubscribe();
    } finally {
      this.outside.open();
      this.time.uninstall();
    }
  }

  private source(lane: Lane | undefined): Observable<unknown> {
    if (lane === undefined) return new Observable();
    const moments = momentsOf(lane.marks);
    const { bench } = this;
    if (bench !== undefined) {
      for (const marks of moments) if (marks[0]!.frame >= 0) this.time.schedule(() => bench.enter(marks), marks[0]!.frame, 'source');
      return new Observable();
    }
    if (!lane.hot) {
      return new Observable((subscriber) => {
        const live = new Subscription();
        for (const marks of moments) {
          const task = this.time.schedule(() => this.play(marks, subscriber), marks[0]!.frame, 'source');
          live.add(() => {
            task.cancelled = true;
          });
        }
        return live;
      });
    }
    const hot = new Subject<unknown>();
    for (const marks of moments) {
      if (marks[0]!.frame >= 0) this.time.schedule(() => this.play(marks, hot), marks[0]!.frame, 'source');
    }
    return hot;
  }

  private play(marks: readonly Mark[], listener: Subscriber<unknown> | Subject<unknown>): void {
    for (const { kind, symbol } of marks) {
      if (listener.closed) return;
      if (kind === 'complete') {
        this.recording.end('in', 'complete');
        listener.complete();
      } else if (kind === 'error') {
        const error = this.options.error ?? 'error';
        this.recording.end('in', 'error', error);
        listener.error(error);
      } else if (!(listener instanceof Subject) || listener.observed) {
        // When nobody listens to a hot source any more, its item enters nothing.
        this.recording.item('in', symbol);
        listener.next(this.enter(symbol));
      }
    }
  }

  private enter(letter: string): unknown {
    const message = this.alphabet.valueOf(letter);
    const value = this.options.context === undefined ? message : this.contextOf(message, letter, this.options.context);
    if (this.options.input === 'values') return value;
    const owner: ClaimOwner = {
      settled: (ending, confirm) => this.left(owner, letter, ending, confirm),
      failed: (error, delivery) => {
        this.recording.item('failed', letter, { reason: textOf(error) });
        this.failed.add(owner);
        delivery.settle('dead_lettered', textOf(error));
      },
    };
    this.open.set(owner, { letter, frame: this.time.now });
    return openDelivery(value, undefined, owner);
  }

  /** Items that failed: what their owner does with them afterwards is no lane's business. */
  private readonly failed = new WeakSet<ClaimOwner>();

  private left(owner: ClaimOwner, letter: string, ending: Ending, confirm: (outcome: Outcome) => void): void {
    this.open.delete(owner);
    if (!this.failed.has(owner)) {
      this.recording.item(ending.outcome, letter, { reason: ending.reason, implied: ending.outcome === 'delivered' && this.sinking > 0 });
    }
    confirm(ending.outcome);
  }

  private contextOf(message: unknown, letter: string, given: NonNullable<MarblesOptions['context']>): Context {
    const fields = typeof given === 'function' ? given(message, letter) : given;
    const context: Context & { readonly [LETTER]: string } = {
      [LETTER]: letter,
      domain: 'xact',
      stage: 'event_ingest',
      worker: undefined,
      message,
      event_id: letter,
      event_type: null,
      project_id: null,
      data: {},
      headers: {},
      error: null,
      retry_count: 0,
      timestamp: new Date(),
      ...fields,
    };
    return context;
  }

  private subscribe(source: Observable<unknown>): void {
    if (this.acting.performs) {
      const performed = this.performing.pipe(this.acting.perform());
      this.subscription.add(performed.subscribe((delivery) => this.decided(delivery as Delivery<Context & Partial<Passed>>)));
    }
    const observable = this.bench?.start() ?? this.observableOf(source);
    this.subscription.add(
      observable.subscribe({
        next: (value) => this.received(value),
        error: (error: unknown) => {
          const expected = this.options.error ?? 'error';
          const same = error === expected || (error instanceof Error && expected instanceof Error && error.message === expected.message);
          if (same) this.recording.end('out', 'error', error, textOf(error));
          else this.recording.item('out', '#', { reason: textOf(error) });
        },
        complete: () => this.recording.end('out', 'complete'),
      }),
    );
  }

  private observableOf(source: Observable<unknown>): Observable<unknown> {
    const { subject } = this;
    if (subject instanceof Observable) return subject;
    return subject instanceof WorkerOnLog ? new Observable() : subject(source as Observable<never>);
  }

  private received(value: unknown): void {
    if (this.bench !== undefined) {
      this.recording.value('out', value, true);
      return;
    }
    if (!isDelivery(value)) {
      this.recording.value('out', value);
      return;
    }
    if (isPassed(value.value)) this.passed(value as Delivery<Passed>);
    else {
      this.recording.value('out', value.value);
      this.sink(value, 'delivered');
    }
  }

  private passed(delivery: Delivery<Passed>): void {
    const { context, filtered } = delivery.value;
    this.acting.passed(delivery.value);
    if (filtered === undefined) this.recording.value('out', context.message);
    if (this.acting.performs) this.performing.next(delivery);
    else this.decided(delivery);
  }

  private letterOf(context: Context): string {
    return (
      (context as Context & { readonly [LETTER]?: string })[LETTER] ??
      this.bench?.letterOfContext(context) ??
      this.alphabet.letterOf(context.message)
    );
  }

  /** A delivery leaves as the chain that let it out decided. */
  private decided(delivery: Delivery<Partial<Passed>>): void {
    const { filtered, verdict } = delivery.value;
    if (filtered !== undefined) this.sink(delivery, 'filtered', filtered.reason);
    else if (verdict?.kind === 'retry') this.sink(delivery, 'retried', `after ${verdict.afterMs} ms`);
    else if (verdict?.kind === 'dead_letter') this.sink(delivery, 'dead_lettered', verdict.reason);
    else this.sink(delivery, 'delivered');
  }

  private sink(delivery: Delivery<unknown>, outcome: Outcome, reason?: string): void {
    this.sinking += 1;
    try {
      if (this.options.sink !== undefined) this.options.sink(delivery);
      else delivery.settle(outcome, reason);
    } finally {
      this.sinking -= 1;
    }
  }
}

/** How often each plugin of a chain ran out of time so far. */
function timedOut(subject: MarbleSubject): ReadonlyMap<string, number> {
  if (subject instanceof WorkerOnLog || !(FUSED in subject)) return new Map();
  return new Map(Object.entries(countsOf(subject as PluginOperator<never>)).map(([name, { timeout = 0 }]) => [name, timeout]));
}

function momentsOf(marks: readonly Mark[]): readonly (readonly Mark[])[] {
  const moments: Mark[][] = [];
  for (const mark of marks) {
    const current = moments.at(-1);
    if (current?.[0]?.frame === mark.frame) current.push(mark);
    else moments.push([mark]);
  }
  return moments;
}
