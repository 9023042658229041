import { type OperatorFunction, Subject, type Subscriber, Subscription } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { Stage, stage } from '../../operators/stage.js';
import { PenstockError } from '../diagnostics/index.js';
import type { Context } from './context.js';
import type { Passed } from './passed.js';
import { PluginContext } from './plugin-context.js';
import { CELL, type PluginRuntime } from './runtime.js';

/**
 * A plugin that is an operator over deliveries, as a link of a chain. It sees what it matches; the rest, and what was filtered before it,
 * passes by. An error of its stream is counted and the operator begun anew: it releases what it held.
 */
export function lawfully(plugin: PluginRuntime): OperatorFunction<Delivery<Context>, Delivery<Passed>> {
  return stage<Delivery<Context>, Delivery<Passed>>((downstream) => new LawfulRun(downstream, plugin));
}

class LawfulRun extends Stage<Delivery<Context>, Delivery<Passed>> {
  private input = new Subject<Delivery<Context>>();
  private inner = new Subscription();
  private ended = false;
  private done = false;

  constructor(
    downstream: Subscriber<Delivery<Passed>>,
    private readonly plugin: PluginRuntime,
  ) {
    super(downstream);
    this.connect();
  }

  protected override _next(delivery: Delivery<Context>): void {
    const context = PluginContext.of(delivery.value);
    if (context.filtered !== undefined) this.downstream.next(delivery.with<Passed>(context));
    else if (!this.matches(context)) {
      this.plugin.cells[CELL.not_matched]! += 1;
      this.downstream.next(delivery.with<Passed>(context));
    } else if (this.done) {
      this.plugin.cells[CELL.rejected]! += 1;
      this.refuse(delivery, context);
    } else this.input.next(delivery.with<Context>(context));
  }

  protected override _complete(): void {
    this.ended = true;
    if (this.done) this.finish();
    else this.input.complete();
  }

  protected override closing(): void {
    this.inner.unsubscribe();
  }

  private matches(context: PluginContext): boolean {
    try {
      return this.plugin.gate === undefined || this.plugin.gate(context);
    } catch {
      // A condition that cannot be decided does not hold; the plugin is not asked.
      return false;
    }
  }

  /** The operator has completed although its source has not: it takes nothing more. */
  private refuse(delivery: Delivery<Context>, context: PluginContext): void {
    const { name, onError } = this.plugin.settings;
    if (onError === 'continue') this.downstream.next(delivery.with<Passed>(context));
    else if (onError === 'dlq') delivery.fail(new PenstockError('PS4001', `plugin ${name} takes nothing more`, { category: 'permanent' }));
    else delivery.settle('released', `plugin ${name} takes nothing more`);
  }

  private connect(): void {
    this.inner = this.plugin.settings.made.deliveries!(this.input).subscribe({
      next: (delivery) => {
        this.plugin.cells[CELL.pass]! += 1;
        this.downstream.next(delivery.with<Passed>(PluginContext.of(delivery.value)));
      },
      error: () => {
        this.plugin.cells[CELL.fail]! += 1;
        if (this.ended) {
          this.finish();
          return;
        }
        this.input = new Subject();
        this.connect();
      },
      complete: () => {
        this.done = true;
        if (this.ended) this.finish();
      },
    });
  }
}
