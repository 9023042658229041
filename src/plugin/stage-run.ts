import type { OperatorFunction, SchedulerLike, Subscriber } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { stage } from '../../operators/stage.js';
import { type Code, PenstockError } from '../diagnostics/index.js';
import { applyResult, type CheckMessage, OBSERVING, resultOf } from './apply-result.js';
import { BoundedLog, type ChainLine } from './bounded-log.js';
import type { Context } from './context.js';
import { isAbandonable } from './lifted.js';
import { Parking, type ParkingOptions, type Ticket } from './parking.js';
import type { Passed } from './passed.js';
import { PluginContext } from './plugin-context.js';
import type { Filter } from './result.js';
import { CELL, type PluginRuntime } from './runtime.js';

/** What a chain tells others, and how it waits. */
export interface ChainOptions extends ParkingOptions {
  /** Lines about filtered deliveries and failing plugins, at a bounded rate. */
  readonly log?: (line: ChainLine) => void;
  /** Told when a plugin whose `on_error` is `stop` failed; its delivery was released. */
  readonly onStop?: (plugin: string, error: unknown) => void;
  /** Checks an amended message. */
  readonly check?: CheckMessage | undefined;
}

const { pass: PASS, skip: SKIP, filter: FILTER } = CELL;
const SYNC_EVERY = 256;
const ASYNC_EVERY = 16;

/** Plugins in a row as one operator: for each delivery a loop over them. The one place that knows how they are run. */
export function runPlugins(
  plugins: readonly PluginRuntime[],
  options: ChainOptions = {},
): OperatorFunction<Delivery<Context>, Delivery<Passed>> {
  return stage<Delivery<Context>, Delivery<Passed>>((downstream) => new StageRun(downstream, plugins, options));
}

class StageRun extends Parking<Context, Passed> {
  private readonly log: BoundedLog;

  constructor(
    downstream: Subscriber<Delivery<Passed>>,
    private readonly plugins: readonly PluginRuntime[],
    private readonly options: ChainOptions,
  ) {
    super(downstream, options, Math.min(...plugins.map((plugin) => plugin.settings.timeoutMs)));
    this.log = new BoundedLog(options.log, nowOf(this.clock));
  }

  protected override begin(delivery: Delivery<Context>, ticket: Ticket<Context, Passed> | undefined): void {
    const context = PluginContext.of(delivery.value);
    if (context.filtered !== undefined) this.leave(ticket, delivery.with(context));
    else this.run(delivery, context, 0, ticket);
  }

  protected override resumed(ticket: Ticket<Context, Passed>, value: unknown, failure: { readonly error: unknown } | undefined): void {
    const plugin = this.plugins[ticket.index]!;
    const { context, startedMs } = ticket.state as Waiting;
    if (startedMs > 0) plugin.measured(performance.now() - startedMs, ASYNC_EVERY);
    const delivery = ticket.delivery!;
    if (failure !== undefined) this.afterFailure(delivery, context, ticket.index, ticket, CELL.fail, failure.error);
    else this.answered(delivery, context, ticket.index, ticket, value);
  }

  protected override expired(ticket: Ticket<Context, Passed>): void {
    const plugin = this.plugins[ticket.index]!;
    const { context } = ticket.state as Waiting;
    const error = new PenstockError('PS4003', `${plugin.name} did not answer within ${plugin.settings.timeoutMs} ms`, {
      category: 'transient',
    });
    this.afterFailure(ticket.delivery!, context, ticket.index, ticket, CELL.timeout, error);
  }

  protected override abandoned(ticket: Ticket<Context, Passed>): void {
    const { awaited } = ticket;
    if (typeof awaited === 'object' && awaited !== null && isAbandonable(awaited)) awaited.abandon();
  }

  /** Runs the plugins from `first` on; one try region, whose cursor says who threw. */
  private run(delivery: Delivery<Context>, start: PluginContext, first: number, ticket: Ticket<Context, Passed> | undefined): void {
    const { plugins } = this;
    let context = start;
    let cursor = first;
    while (cursor < plugins.length) {
      let plugin = plugins[cursor]!;
      let failure: { readonly error: unknown } | undefined;
      let cell = CELL.fail;
      let ending: Filter | undefined;
      try {
        for (; cursor < plugins.length; cursor += 1) {
          plugin = plugins[cursor]!;
          if (plugin.gate !== undefined && !plugin.gate(context)) {
            plugin.cells[CELL.not_matched]! += 1;
            continue;
          }
          const guarded = plugin.guarded;
          if (guarded && !plugin.enter(this.clock.now())) {
            cell = CELL.rejected;
            failure = {
              error: new PenstockError('PS4004', `${plugin.name} is paused by its circuit breaker`, { category: 'circuit_open' }),
            };
            break;
          }
          let startedMs = 0;
          if ((plugin.gap -= 1) <= 0) startedMs = performance.now();
          const answer = plugin.call(context as never);
          if (answer === undefined) {
            plugin.cells[PASS]! += 1;
          } else if (isThenable(answer)) {
            this.park({
              delivery,
              ticket,
              promise: answer,
              order: plugin.settings.order,
              timeoutMs: plugin.settings.timeoutMs,
              index: cursor,
              state: { context, startedMs } satisfies Waiting,
            });
            return;
          } else if (isSkip(answer)) {
            plugin.cells[SKIP]! += 1;
          } else if (endsHere(answer, context)) {
            plugin.cells[FILTER]! += 1;
            ending = answer;
          } else {
            const applied = applyResult(plugin, context, resultOf(answer), this.options.check);
            context = applied.context;
            if (applied.ignored !== undefined) this.warn(plugin, context, applied.ignored);
            if (applied.failure !== undefined) {
              failure = applied.failure;
              break;
            }
          }
          if (startedMs > 0) plugin.measured(performance.now() - startedMs, SYNC_EVERY);
          if (guarded) plugin.recovered();
          if (ending !== undefined || context.filtered !== undefined) break;
        }
      } catch (error) {
        failure = { error };
      }
      if (ending !== undefined) {
        this.filterAtOnce(delivery, context, plugin.name, ending.reason);
        this.leave(ticket, undefined);
        return;
      }
      if (failure === undefined) break;
      if (this.failed(plugin, delivery, context, cell, failure.error)) {
        this.leave(ticket, undefined);
        return;
      }
      cursor += 1;
    }
    this.exit(delivery, context, ticket);
  }

  /** Goes on after an answer that had to be waited for. */
  private answered(
    delivery: Delivery<Context>,
    before: PluginContext,
    index: number,
    ticket: Ticket<Context, Passed>,
    answer: unknown,
  ): void {
    const plugin = this.plugins[index]!;
    let context = before;
    if (answer === undefined) plugin.cells[CELL.pass]! += 1;
    else {
      let failure: { readonly error: unknown } | undefined;
      try {
        const applied = applyResult(plugin, before, resultOf(answer), this.options.check);
        context = applied.context;
        failure = applied.failure;
        if (applied.ignored !== undefined) this.warn(plugin, context, applied.ignored);
      } catch (error) {
        failure = { error };
      }
      if (failure !== undefined) {
        this.afterFailure(delivery, context, index, ticket, CELL.fail, failure.error);
        return;
      }
    }
    if (plugin.guarded) plugin.recovered();
    if (context.filtered === undefined) this.run(delivery, context, index + 1, ticket);
    else this.exit(delivery, context, ticket);
  }

  private afterFailure(
    delivery: Delivery<Context>,
    context: PluginContext,
    index: number,
    ticket: Ticket<Context, Passed>,
    cell: number,
    error: unknown,
  ): void {
    if (this.failed(this.plugins[index]!, delivery, context, cell, error)) this.leave(ticket, undefined);
    else this.run(delivery, context, index + 1, ticket);
  }

  /** Counts and reports a failure; true when the delivery has left because of it. */
  private failed(plugin: PluginRuntime, delivery: Delivery<Context>, context: PluginContext, cell: number, error: unknown): boolean {
    plugin.cells[cell]! += 1;
    if (cell !== CELL.rejected && plugin.failed(this.clock.now())) {
      this.tell(
        plugin,
        context,
        'opened',
        'PS4004',
        `${plugin.name} fails too often and is paused for ${plugin.settings.breaker.open} ms`,
        error,
      );
    }
    const code = cell === CELL.timeout ? 'PS4003' : cell === CELL.rejected ? 'PS4004' : 'PS4001';
    this.tell(plugin, context, code, code, wordingOf(error), error);
    const { onError } = plugin.settings;
    if (onError === 'continue' || OBSERVING.has(context.stage)) return false;
    if (onError === 'dlq') {
      delivery.fail(new PenstockError(code, `plugin ${plugin.name} failed: ${wordingOf(error)}`, { category: 'permanent', cause: error }));
      return true;
    }
    delivery.settle('released', `plugin ${plugin.name} failed: ${wordingOf(error)}`);
    this.options.onStop?.(plugin.name, error);
    return true;
  }

  private exit(delivery: Delivery<Context>, context: PluginContext, ticket: Ticket<Context, Passed> | undefined): void {
    const { filtered } = context;
    if (filtered !== undefined && context.actions.length === 0) {
      this.filterAtOnce(delivery, context, filtered.plugin, filtered.reason);
      this.leave(ticket, undefined);
      return;
    }
    if (filtered !== undefined) this.tellFiltered(context, filtered.plugin, filtered.reason);
    if (context === delivery.value) this.leave(ticket, delivery as Delivery<unknown> as Delivery<Passed>);
    else this.leave(ticket, delivery.with<Passed>(context));
  }

  /** Nobody asked for anything: there is nothing to wait for. */
  private filterAtOnce(delivery: Delivery<Context>, context: PluginContext, plugin: string, reason: string): void {
    this.tellFiltered(context, plugin, reason);
    delivery.settle('filtered', `${plugin}: ${reason}`);
  }

  private tellFiltered(context: PluginContext, plugin: string, reason: string): void {
    if (!this.log.wanted) return;
    this.log.line('filtered', { ...about(context, plugin), level: 'info', message: `filtered by ${plugin}: ${reason}` });
  }

  private warn(plugin: PluginRuntime, context: PluginContext, message: string): void {
    if (this.log.wanted) this.log.line('ignored', { ...about(context, plugin.name), level: 'warn', code: 'PS1207', message });
  }

  private tell(plugin: PluginRuntime, context: PluginContext, kind: string, code: Code, message: string, error: unknown): void {
    if (this.log.wanted) this.log.line(kind, { ...about(context, plugin.name), level: 'warn', code, message, error });
  }
}

/** What a parked delivery goes on with, and since when it waits, where that is measured. */
interface Waiting {
  readonly context: PluginContext;
  readonly startedMs: number;
}

function about(context: PluginContext, plugin: string): Pick<ChainLine, 'plugin' | 'domain' | 'stage' | 'event_id'> {
  return { plugin, domain: context.domain, stage: context.stage, event_id: context.event_id };
}

function isSkip(answer: unknown): boolean {
  return (answer as { readonly kind?: unknown }).kind === 'skip';
}

/** Filtered, and nobody asked for anything before. */
function endsHere(answer: unknown, context: PluginContext): answer is Filter {
  const { kind, actions } = answer as Partial<Filter>;
  return kind === 'filter' && actions?.length === 0 && context.actions.length === 0 && !OBSERVING.has(context.stage);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function nowOf(clock: SchedulerLike): () => number {
  return () => clock.now();
}

function wordingOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
