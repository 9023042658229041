import type { Observable, OperatorFunction } from 'rxjs';
import type { z } from 'zod';
import type { Delivery } from '../../operators/index.js';
import type { ActionType, Mode } from './action.js';
import type { Plugin, PluginResult, RoutingPlugin } from './class-plugin.js';
import type { Context } from './context.js';
import type { BreakerPolicy, OnError, Order } from './entry.js';
import type { Stages } from './index.js';
import type { Passed } from './passed.js';
import type { Amend, Result } from './result.js';
import type { PluginRuntime } from './runtime.js';

type StageKey = Extract<keyof Stages, string>;

/** The domains that are declared. */
export type DomainName = StageKey extends `${infer D}/${string}` ? D : never;

/** The stages that a domain declares. */
export type StageName<D extends DomainName = DomainName> = D extends unknown ? StageNameOf<D, StageKey> : never;
type StageNameOf<D extends string, K extends string> = K extends `${D}/${infer S}` ? S : never;

type Declared<K> = K extends keyof Stages ? Stages[K] : never;
type MessageOf<K> = Declared<K> extends { readonly message: infer M } ? M : never;
type DataOf<K> = Declared<K> extends { readonly data: infer T } ? T : never;

/** The context of a stage, or the union of those of several: narrow it by `stage` or `domain`. */
export type StageContext<D extends DomainName, S extends StageName<D>> = D extends unknown
  ? S extends StageName<D>
    ? Context<MessageOf<`${D}/${S}`>, DataOf<`${D}/${S}`>> & { readonly domain: D; readonly stage: S }
    : never
  : never;

/** A context of any stage whose message has at least this shape. */
export type OpenContext<M = unknown> = Context<M>;

/** What a plugin is given: the context, and its fields by path. */
export type Given<C> = C & {
  /** The value at a path such as `message.attachments[0].name`, `headers.x-source` or `event_type`; null when there is none. */
  getField(path: string): unknown;
};

/** What a function plugin answers; nothing means `pass`. */
export type Answer<M = unknown> = Exclude<Result, Amend> | Amend<Partial<M>> | PluginResult | undefined | void;

/** What a definition is given when a plugin is made. */
export interface Making<Config> {
  readonly config: Config;
  /** The plugin's name and version, as payloads carry them. */
  readonly plugin: { readonly name: string; readonly version: string };
  /** Runs the function once before the first context, within a time limit. */
  readonly onLoad: (run: () => void | PromiseLike<void>) => void;
  /** Runs the function once after the last context, within a time limit. */
  readonly onUnload: (run: () => void | PromiseLike<void>) => void;
}

export interface Effects<Config> {
  /** The actions that it may ask for. Those that cannot be served are an error at load. */
  readonly actions?: readonly ActionType[] | ((config: Config) => readonly ActionType[]);
  /** It may filter; refused at `error`, `retry` and `dlq`. Defaults to false. */
  readonly filters?: boolean;
  /** The topics that it publishes to. */
  topics?(config: Config): readonly string[];
}

export type ConfigSchema = z.ZodType<object, object>;
type NoConfig = z.ZodObject<Record<never, never>, z.core.$strict>;

/** What all forms of a definition say. */
export interface Identity<Config> {
  readonly name: string;
  readonly version: string;
  /** One sentence. */
  readonly summary: string;
  /** Lower runs earlier. Defaults to 100. */
  readonly priority?: number;
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  /** Exact types; `['*']`, and none, mean all. */
  readonly event_types?: readonly string[];
  readonly effects?: Effects<Config>;
  /** Findings about a valid config that its author should hear of (a pattern that matches everything). */
  warnings?(config: Config): readonly ConfigWarning[];
}

/** The actions that a plugin with this config may ask for. */
export function actionsOf(spec: AnySpec, config: unknown): readonly ActionType[] {
  const actions = spec.effects?.actions;
  return typeof actions === 'function' ? actions(config as never) : (actions ?? []);
}

export interface ConfigWarning {
  readonly code: 'PS2101' | 'PS2107';
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly help?: string;
}

/** How a plugin works, in one of three forms. */
export type Work<C, M, Config> =
  | {
      /** A function of each context: a result, now or as a promise. */
      create(making: Making<Config>): (context: Given<C>) => Answer<M> | PromiseLike<Answer<M>>;
      readonly operator?: undefined;
      readonly deliveries?: undefined;
    }
  | {
      /** Any RxJS, run on each context by itself: what it emits first is the answer (the context itself is `pass`); nothing emitted means filtered. */
      operator(making: Making<Config>): OperatorFunction<Given<C>, Given<C> | Result>;
      readonly create?: undefined;
      readonly deliveries?: undefined;
    }
  | {
      /** An operator over deliveries that keeps the law, for what looks across items. It is not fused with its neighbours. */
      deliveries(making: Making<Config>): OperatorFunction<Delivery<C>, Delivery<C>>;
      readonly create?: undefined;
      readonly operator?: undefined;
    };

/** A plugin for certain stages; its context is inferred from them. */
export type StagedSpec<D extends DomainName, S extends StageName<D>, Z extends ConfigSchema> = Identity<z.output<Z>> & {
  readonly domains: readonly D[];
  readonly stages: readonly S[];
  readonly reads?: undefined;
  readonly config?: Z;
} & Work<StageContext<D, S>, StageContext<D, S>['message'], z.output<Z>>;

/** A plugin for any stage whose messages have the shape it reads. */
export type OpenSpec<M, Z extends ConfigSchema> = Identity<z.output<Z>> & {
  readonly reads: Reads<M>;
  /** Where it stands when the configuration is silent. None means everywhere. */
  readonly domains?: readonly string[];
  readonly stages?: readonly string[];
  readonly config?: Z;
} & Work<OpenContext<M>, M, z.output<Z>>;

declare const READS: unique symbol;
/** The shape of the messages that a plugin reads, when no stage decides it. */
export interface Reads<M> {
  readonly [READS]?: M;
}

/** What the caller of a plugin in code may say besides its config; in a file these are keys of the entry. */
export interface PluginOptions {
  /** Defaults to the plugin's own name. */
  readonly name?: string;
  /** Where it runs; in code, without them, it runs wherever it stands. */
  readonly domains?: readonly string[];
  readonly stages?: readonly string[];
  readonly event_types?: readonly string[];
  readonly when?: string;
  readonly conditions?: unknown;
  /** Defaults to `continue`. */
  readonly onError?: OnError;
  /** Milliseconds. Defaults to 5 000. */
  readonly timeoutMs?: number;
  readonly breaker?: BreakerPolicy;
  /** Defaults to `key`. */
  readonly order?: Order;
  readonly mode?: Mode;
  readonly required?: boolean;
}

export const FUSED: unique symbol = Symbol('penstock.fused');
declare const NEEDS: unique symbol;

/** A plugin, or a chain of them, as an operator: alone in any pipe, fused with its neighbours inside `chain`. */
export interface PluginOperator<in C extends Context = Context> {
  <K extends C>(source: Observable<Delivery<K | Passed<K>>>): Observable<Delivery<Passed<K>>>;
  readonly [FUSED]: readonly PluginRuntime[];
  readonly [NEEDS]?: (context: C) => void;
}

type Call<In, C extends Context> =
  Record<never, never> extends In
    ? (config?: In, options?: PluginOptions) => PluginOperator<C>
    : (config: In, options?: PluginOptions) => PluginOperator<C>;

/** A plugin before it has a config: call it with one to get the operator. */
export type PluginDefinition<C extends Context = Context, Z extends ConfigSchema = NoConfig> = Call<z.input<Z>, C> & {
  readonly spec: AnySpec;
};

/** A definition whose types are forgotten: what catalogues hold and files ask for. */
export interface AnyDefinition {
  readonly spec: AnySpec;
}

/** A spec whose types are forgotten. */
export interface AnySpec extends Identity<never> {
  readonly domains?: readonly string[] | undefined;
  readonly stages?: readonly string[] | undefined;
  readonly config?: ConfigSchema | undefined;
  make(making: Making<unknown>): Made;
}

/** A plugin that was made from its spec and a config: a function of a context, or an operator over deliveries. */
export type Made =
  | { readonly call: (context: Given<Context>) => unknown; readonly deliveries?: undefined }
  | { readonly call?: undefined; readonly deliveries: OperatorFunction<Delivery<Context>, Delivery<Context>> };

export type PluginClass = new (config?: Readonly<Record<string, unknown>>) => Plugin;
export type RoutingPluginClass = new (config?: Readonly<Record<string, unknown>>) => RoutingPlugin<never>;

/** What a module may export as a plugin. */
export type Pluggable = AnyDefinition | PluginClass | RoutingPluginClass;

/** Plugins by the names that files may call them, class names among them; dash and underscore are equal on look-up. */
export type Catalogue = Readonly<Record<string, Pluggable>>;
