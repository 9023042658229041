import type { Observable, Subscriber, Subscription } from 'rxjs';
import { backoffMs, serverRetryAfterMs } from '../../operators/backoff.js';
import type { Delivery } from '../../operators/index.js';
import { stage } from '../../operators/stage.js';
import { categoryOf, PenstockError } from '../diagnostics/index.js';
import type { Action, PlannedAction } from './action.js';
import { ActionGate, ClosedGate } from './action-gate.js';
import type { Context } from './context.js';
import { effectsOf } from './effects.js';
import { canPerform, type Executors, executorOf, unservable } from './executors.js';
import type { RetryPolicy } from './entry.js';
import { Parking, type ParkingOptions, type Ticket } from './parking.js';
import type { Passed, Perform } from './passed.js';
import { PluginContext } from './plugin-context.js';
import { type ActionPolicy, DEFAULT_TIMEOUT_MS } from './runtime.js';

export interface PerformActionsOptions extends Executors, Omit<ParkingOptions, 'slots'> {
  /** How many deliveries may have actions out at once. Defaults to 16. */
  readonly concurrency?: number;
  /** How a failed action is tried again: what is transient, or of no known kind. Defaults to 3 attempts from 100 ms on, at most 5 s apart. */
  readonly retry?: RetryPolicy;
  /** What a plugin's own entry says of its actions. */
  readonly policyOf?: (plugin: string) => ActionPolicy | undefined;
  /**
   * Told of an action that failed for good, or that was not begun because one before it of the same plugin failed: keeps it somewhere durable.
   * Then the delivery goes on; when this fails, the delivery fails. Without it the delivery fails.
   */
  readonly onActionFailed?: (planned: PlannedAction, error: unknown, context: Context) => void | PromiseLike<void>;
  /** Ids of actions that were done for this delivery before; they are not done again. */
  readonly alreadyDone?: (delivery: Delivery<unknown>) => ReadonlySet<string>;
  /** Told of each action that was done or made durable, and how many milliseconds after its first attempt began. */
  readonly onDone?: (delivery: Delivery<unknown>, id: string, planned: PlannedAction, milliseconds: number) => void;
  /** Draws from [0, 1). Defaults to `Math.random`. */
  readonly random?: () => number;
}

const DEFAULT_RETRY: RetryPolicy = { attempts: 3, base: 100, cap: 5_000 };
/** A half-open breaker that is full cannot say when it is not. */
const SHORTEST_PAUSE_MS = 10;
const NOTHING_DONE: ReadonlySet<string> = new Set();

/**
 * Performs what plugins asked for, delivery by delivery and in order, and lets the delivery go on when its actions are done. A delivery that a
 * plugin filtered is settled then. Deliveries of one key follow one another.
 */
export function performActions(options: PerformActionsOptions): PerformOperator {
  const perform = (source: Observable<Delivery<Passed>>): Observable<Delivery<Context>> => {
    for (const [action, plugin] of effectsOf(source)) {
      if (!canPerform(options, action)) throw unservable(action, plugin);
    }
    return stage<Delivery<Passed>, Delivery<Context>>((downstream) => new PerformRun(downstream, options))(source);
  };
  return perform as PerformOperator;
}

/** Keeps the type of the context. */
export type PerformOperator = <C extends Context>(source: Observable<Delivery<Passed<C>>>) => Observable<Delivery<C>>;

type Phase = 'entering' | 'acting' | 'pausing' | 'reporting';

/** The actions of one delivery, and how far they are. */
class Job {
  at = 0;
  attempt = 0;
  /** When the first attempt of the present action began. */
  begunAt = 0;
  phase: Phase = 'acting';
  /** It holds a place of its plugin's gate. */
  inside = false;
  /** Plugins of which an action failed: those after it are not begun. */
  broken: Set<string> | undefined;

  constructor(
    readonly context: PluginContext,
    readonly done: ReadonlySet<string>,
  ) {}

  get planned(): PlannedAction | undefined {
    return this.context.actions[this.at];
  }

  next(): void {
    this.at += 1;
    this.attempt = 0;
  }
}

type Failure = { readonly error: unknown };

class PerformRun extends Parking<Passed, Context> {
  private readonly retry: RetryPolicy;
  private readonly gates = new Map<string, ActionGate | undefined>();
  private readonly pauses = new Set<Subscription>();

  constructor(
    downstream: Subscriber<Delivery<Context>>,
    private readonly options: PerformActionsOptions,
  ) {
    super(downstream, { ...options, slots: options.concurrency ?? 16 }, 1_000);
    this.retry = options.retry ?? DEFAULT_RETRY;
  }

  protected override begin(delivery: Delivery<Passed>, ticket: Ticket<Passed, Context> | undefined): void {
    const passed = delivery.value;
    if (passed.actions.length === 0) {
      this.letGo(delivery, passed, ticket);
      return;
    }
    const context = passed instanceof PluginContext ? passed : PluginContext.of(passed.context).with(passed);
    const done = this.options.alreadyDone?.(delivery) ?? NOTHING_DONE;
    this.proceed(delivery, new Job(context, done), ticket);
  }

  protected override resumed(ticket: Ticket<Passed, Context>, _value: unknown, failure: Failure | undefined): void {
    const job = ticket.state as Job;
    const delivery = ticket.delivery!;
    const planned = job.planned!;
    switch (job.phase) {
      case 'entering':
      case 'pausing':
        this.proceed(delivery, job, ticket);
        return;
      case 'acting':
        if (failure !== undefined) {
          if (this.afterFailure(delivery, job, planned, failure.error, ticket)) this.proceed(delivery, job, ticket);
          return;
        }
        this.succeeded(delivery, job, planned);
        this.proceed(delivery, job, ticket);
        return;
      case 'reporting':
        if (failure !== undefined) {
          delivery.fail(failure.error);
          this.leave(ticket, undefined);
          return;
        }
        job.next();
        this.proceed(delivery, job, ticket);
    }
  }

  protected override expired(ticket: Ticket<Passed, Context>): void {
    const { plugin, action } = (ticket.state as Job).planned!;
    this.resumed(ticket, undefined, {
      error: new PenstockError('PS4002', `${action.type} of ${plugin} was not done in time`, { category: 'transient' }),
    });
  }

  protected override closing(reason: string): void {
    for (const pause of this.pauses) pause.unsubscribe();
    this.pauses.clear();
    super.closing(reason);
  }

  /** Performs one action after the other, until one has to be waited for. */
  private proceed(delivery: Delivery<Passed>, job: Job, ticket: Ticket<Passed, Context> | undefined): void {
    for (let planned = job.planned; planned !== undefined; planned = job.planned) {
      if (planned.action.type === 'add_header' || planned.action.type === 'filter' || (job.done.size > 0 && job.done.has(planned.id))) {
        job.next();
        continue;
      }
      if (job.broken?.has(planned.plugin) === true) {
        if (!this.report(delivery, job, planned, notBegun(planned), ticket)) return;
        continue;
      }
      let failure: Failure | undefined;
      let answer: unknown;
      try {
        if (job.phase !== 'entering') {
          const gate = this.handedOver(planned) ? undefined : this.gateOf(planned.plugin);
          const wait = gate?.enter(this.clock.now());
          job.inside = gate !== undefined;
          if (wait !== undefined) {
            this.wait(delivery, job, ticket, 'entering', this.entered(wait), Number.POSITIVE_INFINITY);
            return;
          }
        }
        job.phase = 'acting';
        if (job.attempt === 0) job.begunAt = this.clock.now();
        answer = this.call(planned, job.context);
      } catch (error) {
        failure = { error };
      }
      if (failure !== undefined) {
        if (!this.afterFailure(delivery, job, planned, failure.error, ticket)) return;
        continue;
      }
      if (typeof answer === 'object' && answer !== null && 'then' in answer) {
        this.wait(delivery, job, ticket, 'acting', answer as PromiseLike<unknown>, this.timeoutOf(planned));
        return;
      }
      this.succeeded(delivery, job, planned);
    }
    this.letGo(delivery, job.context, ticket);
  }

  private call(planned: PlannedAction, context: Context): unknown {
    const { background } = this.options;
    if (background !== undefined && this.handedOver(planned)) return background(planned, context);
    const perform = executorOf(this.options, planned.action.type);
    if (perform === undefined) throw unservable(planned.action.type, planned.plugin);
    return (perform as Perform<Action>)(planned.action, planned, context);
  }

  /** Somebody else will perform it, and keep to what its plugin's entry says; here it is only made durable. */
  private handedOver(planned: PlannedAction): boolean {
    return planned.mode === 'background' && this.options.background !== undefined;
  }

  private succeeded(delivery: Delivery<Passed>, job: Job, planned: PlannedAction): void {
    this.giveUpPlace(job, planned, undefined);
    if (this.options.onDone !== undefined) this.options.onDone(delivery, planned.id, planned, this.clock.now() - job.begunAt);
    job.next();
  }

  /** Tries again after a pause, or gives the action up; true when the delivery may proceed at once. */
  private afterFailure(
    delivery: Delivery<Passed>,
    job: Job,
    planned: PlannedAction,
    error: unknown,
    ticket: Ticket<Passed, Context> | undefined,
  ): boolean {
    const category = categoryOf(error);
    if (planned.required && error instanceof ClosedGate) {
      // An open breaker is no attempt: the delivery stays where it is until the breaker lets it try.
      this.wait(
        delivery,
        job,
        ticket,
        'pausing',
        this.pause(Math.max(error.retryAfterMs ?? 0, SHORTEST_PAUSE_MS)),
        Number.POSITIVE_INFINITY,
      );
      return false;
    }
    this.giveUpPlace(job, planned, category);
    const { attempts, base, cap } = this.options.policyOf?.(planned.plugin)?.retry ?? this.retry;
    if ((category === 'transient' || category === 'unknown') && job.attempt + 1 < attempts) {
      const random = this.options.random ?? Math.random;
      const asked = error instanceof PenstockError ? error.retryAfterMs : undefined;
      const pauseMs =
        asked === undefined
          ? backoffMs({ attempt: job.attempt, baseMs: base, capMs: cap, random })
          : serverRetryAfterMs({ retryAfterMs: asked, capMs: cap });
      job.attempt += 1;
      this.wait(delivery, job, ticket, 'pausing', this.pause(pauseMs), Number.POSITIVE_INFINITY);
      return false;
    }
    return this.report(delivery, job, planned, failedFor(planned, error), ticket);
  }

  /** Hands over an action that will not be done; true when the delivery may proceed at once. */
  private report(
    delivery: Delivery<Passed>,
    job: Job,
    planned: PlannedAction,
    error: PenstockError,
    ticket: Ticket<Passed, Context> | undefined,
  ): boolean {
    const { onActionFailed } = this.options;
    if (planned.required || this.handedOver(planned) || onActionFailed === undefined) return this.fail(delivery, error, ticket);
    job.broken ??= new Set();
    job.broken.add(planned.plugin);
    let answer: unknown;
    try {
      answer = onActionFailed(planned, error, job.context);
    } catch (thrown) {
      return this.fail(delivery, thrown, ticket);
    }
    if (typeof answer === 'object' && answer !== null && 'then' in answer) {
      this.wait(delivery, job, ticket, 'reporting', answer as PromiseLike<unknown>, Number.POSITIVE_INFINITY);
      return false;
    }
    job.next();
    return true;
  }

  private fail(delivery: Delivery<Passed>, error: unknown, ticket: Ticket<Passed, Context> | undefined): false {
    delivery.fail(error);
    this.leave(ticket, undefined);
    return false;
  }

  private letGo(delivery: Delivery<Passed>, passed: Passed, ticket: Ticket<Passed, Context> | undefined): void {
    if (passed.filtered !== undefined) {
      delivery.settle('filtered', `${passed.filtered.plugin}: ${passed.filtered.reason}`);
      this.leave(ticket, undefined);
    } else if (!(passed instanceof PluginContext)) this.leave(ticket, delivery.with(passed.context));
    else if (passed.actions.length > 0) this.leave(ticket, delivery.with<Context>(passed.withActions([])));
    else
      this.leave(ticket, passed === delivery.value ? (delivery as Delivery<unknown> as Delivery<Context>) : delivery.with<Context>(passed));
  }

  private wait(
    delivery: Delivery<Passed>,
    job: Job,
    ticket: Ticket<Passed, Context> | undefined,
    phase: Phase,
    promise: PromiseLike<unknown>,
    timeoutMs: number,
  ): void {
    job.phase = phase;
    this.park({ delivery, ticket, promise, order: 'key', timeoutMs, index: job.at, state: job });
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const pause = this.clock.schedule(() => {
        this.pauses.delete(pause);
        resolve();
      }, ms);
      this.pauses.add(pause);
    });
  }

  /** The turn has come: a promise of it, or a time to wait for. */
  private entered(wait: number | PromiseLike<void>): PromiseLike<void> {
    return typeof wait === 'number' ? this.pause(wait) : wait;
  }

  private giveUpPlace(job: Job, planned: PlannedAction, category: string | undefined): void {
    if (!job.inside) return;
    job.inside = false;
    this.gates.get(planned.plugin)?.left(this.clock.now(), category);
  }

  private gateOf(plugin: string): ActionGate | undefined {
    if (this.options.policyOf === undefined) return undefined;
    if (!this.gates.has(plugin)) this.gates.set(plugin, ActionGate.of(plugin, this.options.policyOf(plugin)));
    return this.gates.get(plugin);
  }

  /** The limit of the plugin's entry; a webhook that names a longer one has it. */
  private timeoutOf({ plugin, action }: PlannedAction): number {
    const limitMs = this.options.policyOf?.(plugin)?.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const asked = action.type === 'http_webhook' ? action.params.timeout : undefined;
    return asked === undefined ? limitMs : Math.max(limitMs, asked * 1_000);
  }
}

function failedFor(planned: PlannedAction, error: unknown): PenstockError {
  const why = error instanceof Error ? error.message : String(error);
  return new PenstockError('PS4002', `${planned.action.type} of ${planned.plugin} failed: ${why}`, {
    category: categoryOf(error),
    cause: error,
  });
}

function notBegun(planned: PlannedAction): PenstockError {
  return new PenstockError('PS4002', `${planned.action.type} of ${planned.plugin} was not begun, because one before it failed`, {
    category: 'transient',
  });
}
