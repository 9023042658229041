import type { Action } from './action.js';
import { publish } from './actions.js';
import { fused } from './chain.js';
import { type Plugin, RoutingPlugin } from './class-plugin.js';
import type { Context } from './context.js';
import type {
  AnyDefinition,
  AnySpec,
  Given,
  Pluggable,
  PluginClass,
  PluginOperator,
  PluginOptions,
  RoutingPluginClass,
} from './definition.js';
import { runtimeOf } from './instance.js';
import { act, skip } from './result.js';

/** A class plugin as an operator, with a config. */
export function fromClass(
  plugin: PluginClass | RoutingPluginClass,
  config: Readonly<Record<string, unknown>> = {},
  options: PluginOptions = {},
): PluginOperator {
  const made = instanceOf(plugin, config);
  return fused([runtimeOf({ spec: specOfInstance(made), config, options })]);
}

/** What a module exported, as a spec; a class is constructed with the config, which is its own to check. */
export function specOf(pluggable: Pluggable, config: unknown): AnySpec {
  if (isDefinition(pluggable)) return pluggable.spec;
  const fields = typeof config === 'object' && config !== null ? (config as Readonly<Record<string, unknown>>) : {};
  return specOfInstance(instanceOf(pluggable, fields));
}

export function isDefinition(pluggable: Pluggable): pluggable is AnyDefinition {
  return 'spec' in pluggable;
}

function instanceOf(plugin: PluginClass | RoutingPluginClass, config: Readonly<Record<string, unknown>>): Plugin | RoutingPlugin<never> {
  return new plugin(config);
}

function specOfInstance(plugin: Plugin | RoutingPlugin<never>): AnySpec {
  return plugin instanceof RoutingPlugin ? routing(plugin as RoutingPlugin<unknown>) : plain(plugin as Plugin);
}

function plain(plugin: Plugin): AnySpec {
  const given = (names: readonly string[]): readonly string[] | undefined =>
    names.length === 0 ? undefined : names.map((name) => name.toLowerCase());
  return {
    name: plugin.name,
    version: plugin.version,
    summary: plugin.description,
    priority: plugin.priority,
    domains: given(plugin.domains),
    stages: given(plugin.stages),
    event_types: plugin.eventTypes,
    make({ onLoad, onUnload }) {
      onLoad(() => plugin.onLoad());
      onUnload(() => plugin.onUnload());
      return { call: (context) => (plugin.shouldRun(context) ? plugin.execute(context) : skip('it does not apply')) };
    },
  };
}

function routing(plugin: RoutingPlugin<unknown>): AnySpec {
  const route = (context: Given<Context>): unknown => {
    if (!plugin.shouldRoute(context.message)) return skip('not to be routed');
    const sent: Action[] = [];
    const send = (topic: string, payload: unknown, key: string): Promise<void> => {
      sent.push(publish(topic, payload, { key }));
      return Promise.resolve();
    };
    const view = Object.create(plugin, { sendToTopic: { value: send } }) as RoutingPlugin<unknown>;
    const answer = view.route(context.message, send);
    return isThenable(answer) ? answer.then(() => act(sent)) : act(sent);
  };
  return {
    name: plugin.name,
    version: plugin.version,
    summary: '',
    priority: plugin.priority,
    domains: plugin.domain === '' ? undefined : [plugin.domain],
    stages: plugin.stages,
    effects: { actions: ['publish_to_topic'] },
    make({ onLoad, onUnload }) {
      onLoad(() => plugin.start());
      onUnload(() => plugin.stop());
      return { call: route };
    },
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value;
}
