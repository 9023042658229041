import { Observable, Subject, type Subscriber, Subscription } from 'rxjs';
import { type ClaimOwner, type Delivery, type Ending, openDelivery, type Outcome } from '../../operators/index.js';
import { FUSED } from '../plugin/definition.js';
import {
  type Action,
  type Context,
  countsOf,
  type Passed,
  performActions,
  type PerformActionsOptions,
  type PluginOperator,
} from '../plugin/index.js';
import type { Alphabet } from './alphabet.js';
import type { Lane, Listening, Mark } from './lane.js';
import type { MarbleSubject, MarblesOptions } from './marbles.js';
import { MockedActions } from './mocks.js';
import { Outside } from './outside.js';
import type { Played } from './play.js';
import { timersAreForeign } from './process-clock.js';
import { Recording } from './recording.js';
import { MarblesError } from './report.js';
import { VirtualTime } from './virtual-time.js';

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

/** The lane an action is recorded in, and what its letter stands for; none for a filter, which is a door. */
function laneOf(action: Action): readonly [lane: string, content: unknown] | undefined {
  switch (action.type) {
    case 'publish_to_topic':
      return [`publish ${action.params.topic}`, action.params.payload];
    case 'http_webhook':
      return [
        `webhook ${action.params.method ?? 'POST'} ${action.params.url ?? `${action.params.connection ?? ''}${action.params.path ?? ''}`}`,
        action.params.body,
      ];
    case 'log':
      return ['log', action.params.message];
    case 'metric':
      return [`metric ${action.params.name}`, action.params.value ?? 1];
    case 'add_header':
      return ['header', `${action.params.key}: ${action.params.value}`];
    case 'send_email':
      return ['email', action.params.subject];
    case 'filter':
      return undefined;
  }
}

/** One drawing being played: the source, the claims of what enters, the sink, and the clock they share. */
export class MarbleRun {
  readonly recording: Recording;
  private readonly time: VirtualTime;
  private readonly alphabet: Alphabet;
  private readonly open = new Map<ClaimOwner, { readonly letter: string; readonly frame: number }>();
  private readonly outside = new Outside();
  private readonly timedOutBefore: ReadonlyMap<string, number>;
  private readonly mocked: MockedActions | undefined;
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
    this.mocked = options.mocks === undefined && options.perform === undefined ? undefined : new MockedActions(options.mocks ?? {});
    this.recording = new Recording(spec.alphabet, () => this.time.now);
    this.timedOutBefore = timedOut(subject);
    const { until } = spec.listening;
    const drawnUntil = [...spec.drawn.values()].flatMap(({ length, marks }) => [length, marks.at(-1)?.frame ?? 0]);
    this.last = Math.max(0, ...drawnUntil, spec.listening.from, Number.isFinite(until) ? until : 0);
  }

  begin(): void {
    if (timersAreForeign()) {
      throw new MarblesError(
        'the timers of the process were replaced (by fake timers of a test runner?): put them back before a drawing is played',
      );
    }
    this.time.install();
    this.outside.close();
    const { from, until } = this.spec.listening;
    // As in RxJS' own marbles, leaving comes before what the source does in the same millisecond.
    if (Number.isFinite(until)) this.time.schedule(() => this.subscription.unsubscribe(), until, 'source');
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
  quiet(): Promise<void> {
    return this.outside.quiet();
  }

  /** Nothing is recorded any more and the subject is left; timers of what lets go may still be stepped. What happened is to be compared with the drawing. */
  end(): () => Played {
    const { recording, time, open, mocked, spec, outside, subject } = this;
    const before = { ...spec, recording, inFlight: [...open.values()], endedAt: time.now, mocks: mocked?.use() ?? [] };
    const pending = outside.pending();
    const asleep = time.nextAt === undefined;
    recording.close();
    this.subscription.unsubscribe();
    this.lastTasks = 0;
    return () => ({
      ...before,
      rest: {
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
    if (this.mocked !== undefined) this.perform(this.mocked);
    const observable = this.subject instanceof Observable ? this.subject : this.subject(source as Observable<never>);
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

  private received(value: unknown): void {
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
    const { context, actions, filtered } = delivery.value;
    for (const { action } of actions) if (this.mocked === undefined || action.type === 'add_header') this.asked(action, context);
    if (filtered === undefined) this.recording.value('out', context.message);
    if (this.mocked === undefined) this.decided(delivery);
    else this.performing.next(delivery);
  }

  /** Somebody is asked to do something, now. */
  private asked(action: Action, context: Context): string {
    const [lane, content] = laneOf(action) ?? [];
    if (lane !== undefined) this.recording.action(lane, this.letterOf(context), content);
    return lane ?? '';
  }

  private letterOf(context: Context): string {
    return (context as Context & { readonly [LETTER]?: string })[LETTER] ?? this.alphabet.letterOf(context.message);
  }

  /** Performs what plugins ask for, as mocks answer; then each delivery leaves as its chain decided. */
  private perform(mocked: MockedActions): void {
    const call = (action: Action, _planned: unknown, context: Context): void | Promise<void> => mocked.perform(this.asked(action, context));
    const executors = { publish: call, webhook: call, log: call, metric: call, email: call } satisfies PerformActionsOptions;
    this.subscription.add(
      this.performing
        .pipe(performActions({ random: () => 1, ...this.options.perform, ...executors }))
        .subscribe((delivery) => this.decided(delivery as Delivery<Context & Partial<Passed>>)),
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
  if (!(FUSED in subject)) return new Map();
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
