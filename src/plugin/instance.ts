import { PenstockError } from '../diagnostics/index.js';
import { compileConditions, type Decide } from './conditions.js';
import { actionsOf, type AnySpec, type PluginOptions } from './definition.js';
import { type ActionPolicy, DEFAULT_BREAKER, DEFAULT_TIMEOUT_MS, PluginRuntime } from './runtime.js';
import { compileWhen } from './when.js';

export interface InstanceOptions {
  readonly spec: AnySpec;
  /** Checked already. */
  readonly config: unknown;
  readonly options: PluginOptions;
  /** Decides whether the plugin runs. Defaults to what the options say. */
  readonly gate?: Decide | undefined;
  readonly type?: string;
  readonly priority?: number;
  readonly policy?: Partial<ActionPolicy>;
}

/** Makes a plugin from its spec and config, ready to stand in a chain. What is wrong in the options is thrown. */
export function runtimeOf({
  spec,
  config,
  options,
  gate = gateOf(spec.name, options),
  type,
  priority,
  policy,
}: InstanceOptions): PluginRuntime {
  const loads: (() => void | PromiseLike<void>)[] = [];
  const unloads: (() => void | PromiseLike<void>)[] = [];
  const name = options.name ?? spec.name;
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const made = spec.make({
    config,
    plugin: { name, version: spec.version },
    onLoad: (run) => void loads.push(run),
    onUnload: (run) => void unloads.push(run),
  });
  return new PluginRuntime({
    name,
    type: type ?? spec.name,
    version: spec.version,
    priority: priority ?? spec.priority ?? 100,
    made,
    gate,
    onError: options.onError ?? 'continue',
    timeoutMs,
    order: options.order ?? 'key',
    mode: options.mode,
    required: options.required ?? false,
    breaker: options.breaker ?? DEFAULT_BREAKER,
    policy: { timeoutMs, retry: undefined, breaker: undefined, rate: undefined, concurrency: undefined, ...policy },
    actions: actionsOf(spec, config),
    loads,
    unloads,
  });
}

/** What a caller in code asked for; without stages and domains a plugin runs wherever it stands. */
function gateOf(name: string, options: PluginOptions): Decide | undefined {
  const refuse = (message: string): never => {
    throw new PenstockError('PS1401', `plugin ${name}: ${message}`, { category: 'permanent' });
  };
  const when = options.when === undefined ? undefined : compileWhen(options.when, [], (fault) => refuse(fault.message));
  const conditions =
    options.conditions === undefined
      ? undefined
      : compileConditions(options.conditions, (fault) => refuse(`${fault.path.join('.')}: ${fault.message}`));
  return allOf([
    oneOfNames(options.domains, (context) => context.domain),
    oneOfNames(options.stages, (context) => context.stage),
    eventTypesGate(options.event_types),
    conditions,
    when,
  ]);
}

/** Exact event types; none and `*` mean all. */
export function eventTypesGate(types: readonly string[] | undefined): Decide | undefined {
  return types?.includes('*') === true ? undefined : oneOfNames(types, (context) => context.event_type);
}

function oneOfNames(names: readonly string[] | undefined, read: (context: Parameters<Decide>[0]) => string | null): Decide | undefined {
  if (names === undefined || names.length === 0) return undefined;
  if (names.length === 1) {
    const only = names[0]!;
    return (context) => read(context) === only;
  }
  const set: ReadonlySet<string | null> = new Set(names);
  return (context) => set.has(read(context));
}

/** All of those that are there; undefined when none is. */
export function allOf(gates: readonly (Decide | undefined)[]): Decide | undefined {
  const present = gates.filter((gate) => gate !== undefined);
  const [first, second] = present;
  if (second === undefined) return first;
  if (present.length === 2) return (context) => first!(context) && second(context);
  return (context) => present.every((gate) => gate(context));
}
