import { asyncScheduler, type SchedulerLike } from 'rxjs';
import { PenstockError } from '../diagnostics/index.js';
import type { CheckMessage } from './apply-result.js';
import { operatorOf } from './chain.js';
import type { ChainSet, PluginCounts, StageChain } from './passed.js';
import type { ActionPolicy, PluginRuntime } from './runtime.js';
import type { ChainOptions } from './stage-run.js';

/** A set of chains, and what may be read of its plugins. */
export interface LoadedChainSet extends ChainSet {
  /** What the entry of a plugin says about performing its actions. */
  policyOf(plugin: string): ActionPolicy | undefined;
  /** Sampled durations of each plugin's calls, in milliseconds; `buckets[n]` counts those below 2^n microseconds. */
  durations(): Readonly<
    Record<string, { readonly sampled: number; readonly sumMs: number; readonly slowestMs: number; readonly buckets: readonly number[] }>
  >;
}

export interface ChainSetOptions extends Omit<ChainOptions, 'check'> {
  /** How long one `onLoad` or `onUnload` may take. Defaults to 10 000. */
  readonly hookTimeoutMs?: number;
  readonly checkOf?: (stage: string) => CheckMessage | undefined;
}

/** Makes the chains of a domain from plugins in their order, and what says at which stages each stands. */
export function chainSet(
  domain: string,
  stages: readonly string[],
  plugins: readonly { readonly runtime: PluginRuntime; readonly stages: ReadonlySet<string> }[],
  options: ChainSetOptions = {},
): LoadedChainSet {
  const { hookTimeoutMs = 10_000, checkOf, clock = asyncScheduler, ...rest } = options;
  const runtimes = plugins.map(({ runtime }) => runtime);
  const byName = new Map(runtimes.map((runtime) => [runtime.name, runtime]));
  const chains = new Map(
    stages.map((stage): [string, StageChain] => {
      const here = plugins.filter((plugin) => plugin.stages.has(stage)).map(({ runtime }) => runtime);
      return [
        stage,
        {
          domain,
          stage,
          plugins: here.map(({ settings: { name, type, version, priority } }) => ({ name, type, version, priority })),
          operator: operatorOf(here, { ...rest, clock, check: checkOf?.(stage) }),
        },
      ];
    }),
  );
  let loaded: PluginRuntime[] = [];
  const unload = async (): Promise<void> => {
    for (const runtime of loaded.splice(0).toReversed()) {
      try {
        await hooks(runtime, 'onUnload', hookTimeoutMs, clock);
      } catch (error) {
        options.log?.({
          level: 'warn',
          code: 'PS4001',
          message: String(error),
          plugin: runtime.name,
          domain,
          stage: '',
          event_id: '',
          error,
        });
      }
    }
  };
  return {
    domain,
    stage(name) {
      const found = chains.get(name);
      if (found === undefined) {
        throw new PenstockError('PS1205', `the domain ${domain} has no stage "${name}"`, {
          category: 'permanent',
          help: `it has ${stages.join(', ')}`,
        });
      }
      return found;
    },
    async load() {
      if (loaded.length > 0) return;
      for (const runtime of runtimes) {
        loaded.push(runtime);
        try {
          await hooks(runtime, 'onLoad', hookTimeoutMs, clock);
        } catch (error) {
          await unload();
          throw error;
        }
      }
    },
    unload,
    counts: (): PluginCounts => Object.fromEntries(runtimes.map((runtime) => [runtime.name, runtime.counts()])),
    policyOf: (plugin) => byName.get(plugin)?.settings.policy,
    durations: () =>
      Object.fromEntries(
        runtimes.map(({ name, sampled, sampledMs, slowestMs, durations }) => [
          name,
          { sampled, sumMs: sampledMs, slowestMs, buckets: [...durations] },
        ]),
      ),
  };
}

async function hooks(runtime: PluginRuntime, hook: 'onLoad' | 'onUnload', timeoutMs: number, clock: SchedulerLike): Promise<void> {
  const { name, loads, unloads } = runtime.settings;
  for (const run of hook === 'onLoad' ? loads : unloads) {
    try {
      await within(
        run,
        timeoutMs,
        clock,
        () => new PenstockError('PS4003', `${hook} of ${name} took longer than ${timeoutMs} ms`, { category: 'permanent' }),
      );
    } catch (error) {
      if (error instanceof PenstockError) throw error;
      throw new PenstockError('PS4001', `${hook} of ${name} failed: ${error instanceof Error ? error.message : String(error)}`, {
        category: 'permanent',
        cause: error,
      });
    }
  }
}

/** Waits for a hook, and no longer than its limit; what it does after that is nobody's. */
function within(run: () => void | PromiseLike<void>, timeoutMs: number, clock: SchedulerLike, late: () => Error): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(() => reject(late()), timeoutMs);
    Promise.resolve()
      .then(run)
      .then(
        () => {
          timer.unsubscribe();
          resolve();
        },
        (error: unknown) => {
          timer.unsubscribe();
          reject(error as Error);
        },
      );
  });
}
