import { asyncScheduler, type OperatorFunction, Subject, type Subscriber, Subscription } from 'rxjs';
import { sameClaim } from '../../operators/delivery.js';
import type { Delivery } from '../../operators/index.js';
import { release, Stage, stage } from '../../operators/stage.js';
import { type Code, PenstockError } from '../diagnostics/index.js';
import { OBSERVING } from './apply-result.js';
import { BoundedLog } from './bounded-log.js';
import type { Context } from './context.js';
import type { Passed } from './passed.js';
import { PluginContext } from './plugin-context.js';
import { CELL, type PluginRuntime } from './runtime.js';
import type { ChainOptions } from './stage-run.js';

/**
 * A plugin that is an operator over deliveries, as a link of a chain. It sees what it matches; the rest, and what was filtered before it,
 * passes by. When its stream ends by an error, the operator is begun anew, and what was in its hands goes the way of its `on_error`; too many
 * such errors open its breaker. How long it keeps a delivery is its own affair.
 */
export function lawfully(plugin: PluginRuntime, options: ChainOptions = {}): OperatorFunction<Delivery<Context>, Delivery<Passed>> {
  return stage<Delivery<Context>, Delivery<Passed>>((downstream) => new LawfulRun(downstream, plugin, options));
}

class LawfulRun extends Stage<Delivery<Context>, Delivery<Passed>> {
  private input = new Subject<Delivery<Context>>();
  private inner = new Subscription();
  /** What went in and has neither come out nor left. */
  private readonly inside = new Set<Delivery<Context>>();
  /** What was inside when the stream broke, until its teardown has run. */
  private readonly broken = new Set<Delivery<Context>>();
  private entering: Delivery<Context> | undefined;
  private connecting = false;
  private ended = false;
  private done = false;
  private readonly log: BoundedLog;

  constructor(
    downstream: Subscriber<Delivery<Passed>>,
    private readonly plugin: PluginRuntime,
    private readonly options: ChainOptions,
  ) {
    super(downstream);
    this.log = new BoundedLog(options.log, () => this.now());
    this.connect();
  }

  protected override _next(delivery: Delivery<Context>): void {
    const context = PluginContext.of(delivery.value);
    if (context.filtered !== undefined) this.downstream.next(delivery.with<Passed>(context));
    else if (!this.matches(context)) {
      this.plugin.cells[CELL.not_matched]! += 1;
      this.downstream.next(delivery.with<Passed>(context));
    } else if (this.done || (this.plugin.guarded && !this.plugin.enter(this.now()))) this.refuse(delivery, context);
    else this.enter(delivery, context);
  }

  protected override _complete(): void {
    this.ended = true;
    if (this.done) this.finishWhenMended();
    else this.input.complete();
  }

  protected override closing(reason: string): void {
    this.inner.unsubscribe();
    for (const held of [...this.inside, ...this.broken]) release(held, reason);
    this.inside.clear();
    this.broken.clear();
  }

  private enter(delivery: Delivery<Context>, context: PluginContext): void {
    this.inside.add(delivery);
    delivery.whenSettled(() => this.inside.delete(delivery));
    const before = this.entering;
    this.entering = delivery;
    this.input.next(delivery.with<Context>(context));
    this.entering = before;
  }

  private matches(context: PluginContext): boolean {
    try {
      return this.plugin.gate === undefined || this.plugin.gate(context);
    } catch {
      // A condition that cannot be decided does not hold; the plugin is not asked.
      return false;
    }
  }

  /** The operator has completed although its source has not, or its breaker is open: it takes nothing at the moment. */
  private refuse(delivery: Delivery<Context>, context: PluginContext): void {
    const { name } = this.plugin;
    this.plugin.cells[CELL.rejected]! += 1;
    const why = this.done ? 'takes nothing more' : 'is paused by its circuit breaker';
    const error = new PenstockError('PS4004', `plugin ${name} ${why}`, { category: this.done ? 'permanent' : 'circuit_open' });
    this.afterFailure(delivery, context, 'PS4004', error);
  }

  /** What becomes of a delivery that the plugin failed. */
  private afterFailure(delivery: Delivery<Context>, context: PluginContext, code: Code, error: unknown): void {
    const { name, onError } = this.plugin.settings;
    this.tell(context, code, wordingOf(error), error);
    if (onError === 'continue' || OBSERVING.has(context.stage)) this.downstream.next(delivery.with<Passed>(context));
    else if (onError === 'dlq')
      delivery.fail(new PenstockError(code, `plugin ${name} failed: ${wordingOf(error)}`, { category: 'permanent', cause: error }));
    else {
      delivery.settle('released', `plugin ${name} failed: ${wordingOf(error)}`);
      this.options.onStop?.(name, error);
    }
  }

  private connect(): void {
    this.connecting = true;
    this.inner = this.plugin.settings.made.deliveries!(this.input).subscribe({
      next: (delivery) => this.passed(delivery),
      error: (error: unknown) => this.broke(error),
      complete: () => {
        this.done = true;
        if (this.ended) this.finishWhenMended();
      },
    });
    this.connecting = false;
  }

  private passed(delivery: Delivery<Context>): void {
    this.cameOut(delivery);
    this.plugin.cells[CELL.pass]! += 1;
    if (this.plugin.guarded) this.plugin.recovered();
    this.downstream.next(delivery.with<Passed>(PluginContext.of(delivery.value)));
  }

  private cameOut(delivery: Delivery<Context>): void {
    const { entering } = this;
    if (entering !== undefined && sameClaim(entering, delivery)) {
      this.inside.delete(entering);
      return;
    }
    for (const held of this.inside) {
      if (!sameClaim(held, delivery)) continue;
      this.inside.delete(held);
      return;
    }
  }

  /** Its stream has ended by an error. What it held it may still release as it is torn down, which is just about to happen. */
  private broke(error: unknown): void {
    const { plugin } = this;
    plugin.cells[CELL.fail]! += 1;
    const opened = plugin.failed(this.now());
    const held = [...this.inside];
    this.inside.clear();
    for (const delivery of held) this.broken.add(delivery);
    queueMicrotask(() => this.mend(held, error, opened));
    if (this.ended || this.connecting) {
      // One that breaks before it has seen anything would break again at once.
      this.done = true;
      return;
    }
    this.input = new Subject();
    this.connect();
  }

  private mend(held: readonly Delivery<Context>[], error: unknown, opened: boolean): void {
    for (const delivery of held) {
      if (!this.broken.delete(delivery) || delivery.outcome !== undefined) continue;
      const context = PluginContext.of(delivery.value);
      if (opened) this.tell(context, 'PS4004', `${this.plugin.name} fails too often and is paused`, error);
      this.afterFailure(delivery, context, 'PS4001', error);
    }
    if (this.ended && this.done) this.finishWhenMended();
  }

  private finishWhenMended(): void {
    if (this.broken.size === 0 && !this.closed) this.finish();
  }

  private now(): number {
    return (this.options.clock ?? asyncScheduler).now();
  }

  private tell(context: PluginContext, code: Code, message: string, error: unknown): void {
    if (!this.log.wanted) return;
    const { domain, stage: name, event_id } = context;
    this.log.line(code, { level: 'warn', code, message, plugin: this.plugin.name, domain, stage: name, event_id, error });
  }
}

function wordingOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
