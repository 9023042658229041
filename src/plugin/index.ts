export { z } from 'zod';
export type * from './action.js';
export * from './actions.js';
export { assemble, type AssembleOptions, type Assembled, type StageSpec } from './assemble.js';
export type { ChainLine } from './bounded-log.js';
export { chain, chainWith, countsOf } from './chain.js';
export { Plugin, PluginResult, RoutingPlugin, type SendToTopic } from './class-plugin.js';
export type * from './context.js';
export { contexts, type ContextsOptions } from './contexts.js';
export { defineOpenPlugin, definePlugin, messages } from './define-plugin.js';
export type {
  AnyDefinition,
  AnySpec,
  Answer,
  Catalogue,
  DomainName,
  Given,
  Making,
  OpenContext,
  OpenSpec,
  Pluggable,
  PluginDefinition,
  PluginOperator,
  PluginOptions,
  StageContext,
  StagedSpec,
  StageName,
} from './definition.js';
export type * from './entry.js';
export { fromClass } from './from-class.js';
export type * from './passed.js';
export { performActions, type PerformActionsOptions } from './perform-actions.js';
export { PluginContext, type ContextFields } from './plugin-context.js';
export { PluginRegistry } from './registry.js';
export { act, amend, deadLetter, fail, filter, pass, type Result, retry, skip } from './result.js';
export type * from './routable.js';
export { type ActionPolicy, type Verdict, VERDICTS } from './runtime.js';
export type { ChainOptions } from './stage-run.js';
export { topic, topics } from './topic.js';

/** What each stage of each domain carries; a domain adds its stages by declaration merging, a third domain too. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface Stages {}
