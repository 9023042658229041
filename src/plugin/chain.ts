import type { OperatorFunction } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import type { Context } from './context.js';
import { FUSED, type PluginOperator } from './definition.js';
import { lawfully } from './lawful.js';
import type { Passed, PluginCounts } from './passed.js';
import type { PluginRuntime } from './runtime.js';
import { type ChainOptions, runPlugins } from './stage-run.js';
import { tagEffects } from './effects.js';

/**
 * Runs plugins on each delivery, in this order; neighbours become one operator. What one of them does is what they would do one after the
 * other in a pipe: a delivery that is filtered, or failed by `on_error`, does not reach those after.
 */
export function chain<C extends Context>(...plugins: readonly PluginOperator<C>[]): PluginOperator<C> {
  return fused(plugins.flatMap((plugin) => plugin[FUSED])) as PluginOperator<C>;
}

/** The same, with what the chain waits on and whom it tells. */
export function chainWith<C extends Context>(options: ChainOptions, ...plugins: readonly PluginOperator<C>[]): PluginOperator<C> {
  return fused(
    plugins.flatMap((plugin) => plugin[FUSED]),
    options,
  ) as PluginOperator<C>;
}

/** The verdicts of each plugin of an operator so far, by name. */
export function countsOf(plugin: PluginOperator<never>): PluginCounts {
  return Object.fromEntries(plugin[FUSED].map((runtime) => [runtime.name, runtime.counts()]));
}

/** Plugins that are made, as one operator that knows what it is made of. */
export function fused(runtimes: readonly PluginRuntime[], options?: ChainOptions): PluginOperator {
  const operator = operatorOf(runtimes, options);
  return Object.assign(operator, { [FUSED]: runtimes }) as unknown as PluginOperator;
}

/** Runs of plugins that are functions become one link each; a plugin that is an operator stands between them. */
export function operatorOf(
  runtimes: readonly PluginRuntime[],
  options?: ChainOptions,
): OperatorFunction<Delivery<Context>, Delivery<Passed>> {
  const links: OperatorFunction<Delivery<Context>, Delivery<Passed>>[] = [];
  let run: PluginRuntime[] = [];
  for (const runtime of runtimes) {
    if (runtime.settings.made.deliveries === undefined) run.push(runtime);
    else {
      if (run.length > 0) links.push(runPlugins(run, options));
      links.push(lawfully(runtime, options));
      run = [];
    }
  }
  if (run.length > 0 || links.length === 0) links.push(runPlugins(run, options));
  return (source) => {
    let stream: unknown = source;
    for (const link of links) stream = link(stream as Parameters<typeof link>[0]);
    return tagEffects(stream as ReturnType<(typeof links)[number]>, runtimes);
  };
}
