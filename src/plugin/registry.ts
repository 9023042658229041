import { PenstockError } from '../diagnostics/index.js';
import { chainSet, type ChainSetOptions, type LoadedChainSet } from './chain-set.js';
import { FUSED, type PluginOperator } from './definition.js';
import { inOrder } from './order.js';
import type { PluginRuntime } from './runtime.js';

interface Registered {
  readonly runtime: PluginRuntime;
  readonly stages: ReadonlySet<string>;
}

/** The plugins of one domain, put together in code. */
export class PluginRegistry {
  private readonly plugins = new Map<string, Registered>();

  /** @param stages The stages of the domain, in the order in which a delivery comes by. */
  constructor(
    readonly domain: string,
    private readonly stages: readonly string[],
  ) {}

  /** Adds a plugin (or a chain of them) to certain stages, or to all. A name that is there already is an error. */
  register(plugin: PluginOperator<never>, stages: readonly string[] = this.stages): this {
    const stray = stages.find((stage) => !this.stages.includes(stage));
    if (stray !== undefined)
      throw new PenstockError('PS1205', `the domain ${this.domain} has no stage "${stray}"`, { category: 'permanent' });
    for (const runtime of plugin[FUSED]) {
      if (this.plugins.has(runtime.name)) {
        throw new PenstockError('PS1202', `a plugin called "${runtime.name}" is registered for ${this.domain} already`, {
          category: 'permanent',
        });
      }
      this.plugins.set(runtime.name, { runtime, stages: new Set(stages) });
    }
    return this;
  }

  /** Takes a plugin away; false when there is none of the name. */
  unregister(name: string): boolean {
    return this.plugins.delete(name);
  }

  has(name: string): boolean {
    return this.plugins.has(name);
  }

  names(): readonly string[] {
    return [...this.plugins.keys()];
  }

  clear(): void {
    this.plugins.clear();
  }

  /** The chains as they stand now: by priority, then in the order in which plugins were registered. */
  chains(options: ChainSetOptions = {}): LoadedChainSet {
    const ordered = inOrder(
      [...this.plugins.values()].map((plugin) => ({
        ...plugin,
        name: plugin.runtime.name,
        priority: plugin.runtime.settings.priority,
        before: [],
        after: [],
      })),
      () => undefined,
    );
    return chainSet(this.domain, this.stages, ordered, options);
  }
}
