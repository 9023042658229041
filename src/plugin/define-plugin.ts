import type { OperatorFunction } from 'rxjs';
import { z } from 'zod';
import type { Delivery } from '../../operators/index.js';
import { PenstockError } from '../diagnostics/index.js';
import type { Context } from './context.js';
import type {
  AnySpec,
  ConfigSchema,
  DomainName,
  Given,
  Made,
  Making,
  OpenContext,
  OpenSpec,
  PluginDefinition,
  PluginOperator,
  PluginOptions,
  Reads,
  StageContext,
  StagedSpec,
  StageName,
} from './definition.js';
import { fused } from './chain.js';
import { runtimeOf } from './instance.js';
import { lifted } from './lifted.js';

type NoConfig = z.ZodObject<Record<never, never>, z.core.$strict>;

/**
 * Defines a plugin. What it returns is called with a config and gives an operator over contexts, to be used alone in a pipe or inside `chain`;
 * files ask for it by name. The context is inferred from `domains` and `stages`.
 */
export function definePlugin<const D extends DomainName, const S extends StageName<D>, Z extends ConfigSchema = NoConfig>(
  spec: StagedSpec<D, S, Z>,
): PluginDefinition<StageContext<D, S>, Z> {
  return define(spec) as PluginDefinition<StageContext<D, S>, Z>;
}

/** Defines a plugin for any stage whose messages have the shape that it `reads`; `domains` and `stages` say where it stands when a file is silent. */
export function defineOpenPlugin<M, Z extends ConfigSchema = NoConfig>(spec: OpenSpec<M, Z>): PluginDefinition<OpenContext<M>, Z> {
  return define(spec) as PluginDefinition<OpenContext<M>, Z>;
}

function define(spec: object): unknown {
  const { create, operator, deliveries, reads: _reads, ...rest } = spec as LooseSpec;
  const any: AnySpec = {
    ...rest,
    make(making): Made {
      if (create !== undefined) return { call: create(making) };
      if (operator !== undefined) return { call: lifted(rest.name, operator(making)) };
      return { deliveries: deliveries!(making) };
    },
  };
  const plugin = (config: unknown = {}, options: PluginOptions = {}): PluginOperator =>
    fused([runtimeOf({ spec: any, config: checked(any, config), options })]);
  Object.defineProperty(plugin, 'name', { value: rest.name });
  return Object.assign(plugin, { spec: any });
}

/** Says what shape a plugin's messages have when no stage decides it. */
export function messages<M = unknown>(): Reads<M> {
  return {};
}

interface LooseSpec extends Omit<AnySpec, 'make'> {
  readonly reads?: unknown;
  readonly create?: (making: Making<unknown>) => (context: Given<Context>) => unknown;
  readonly operator?: (making: Making<unknown>) => OperatorFunction<Given<Context>, unknown>;
  readonly deliveries?: (making: Making<unknown>) => OperatorFunction<Delivery<Context>, Delivery<Context>>;
}

/** The config of a plugin that is called in code, with its defaults; a wrong one is thrown. */
export function checked(spec: AnySpec, config: unknown): unknown {
  const schema = spec.config ?? z.strictObject({});
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  const at = first === undefined || first.path.length === 0 ? 'its config' : first.path.join('.');
  throw new PenstockError('PS1105', `plugin ${spec.name}: ${at}: ${first?.message ?? 'wrong'}`, {
    category: 'permanent',
    cause: parsed.error,
  });
}
