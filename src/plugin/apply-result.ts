import { PenstockError } from '../diagnostics/index.js';
import type { Action, Mode, PlannedAction } from './action.js';
import { Planned } from './action-id.js';
import { PluginResult } from './class-plugin.js';
import type { PluginContext } from './plugin-context.js';
import { act, fail, filter, type Result, skip } from './result.js';
import { CELL, type PluginRuntime } from './runtime.js';
import { traceContextOf } from './trace-context.js';

/** Checks an amended message; answers what is wrong with it. */
export type CheckMessage = (message: unknown) => string | undefined;

/** Stages that only observe: nothing is filtered there. */
export const OBSERVING: ReadonlySet<string> = new Set(['error', 'retry', 'dlq']);

/** What a plugin's answer made of a context. */
export interface Applied {
  readonly context: PluginContext;
  /** The plugin has failed; what follows is its `on_error`. */
  readonly failure?: { readonly error: unknown };
  /** Something was asked for that this stage does not do; it was ignored. */
  readonly ignored?: string;
}

/** A plugin's answer as a result: what class plugins answer is translated, anything else is a failure. */
export function resultOf(answer: unknown): Result {
  if (answer instanceof PluginResult) return translated(answer);
  if (typeof answer === 'object' && answer !== null && 'kind' in answer) return answer as Result;
  return fail(new PenstockError('PS4001', `a plugin answers a result or nothing, this is ${typeof answer}`, { category: 'permanent' }));
}

function translated({ success, actions, message, terminate_pipeline }: PluginResult): Result {
  // It is the flag that ends the pipeline here: a filter action alone does nothing in an answer of this form.
  const effective = actions.filter((action) => action.type !== 'filter');
  if (terminate_pipeline) return filter(reasonOf(message, actions), effective);
  if (!success) return fail(new PenstockError('PS4001', message ?? 'the plugin did not succeed', { category: 'permanent' }), effective);
  if (effective.length > 0) return act(effective);
  return message === null ? { kind: 'pass' } : skip(message);
}

function reasonOf(message: string | null, actions: readonly Action[]): string {
  const asked = actions.find((action) => action.type === 'filter');
  return message ?? (asked?.type === 'filter' ? asked.params.reason : 'filtered');
}

/** Counts a result and makes of it the context for the plugins after. */
export function applyResult(plugin: PluginRuntime, context: PluginContext, result: Result, check: CheckMessage | undefined): Applied {
  switch (result.kind) {
    case 'pass':
      plugin.cells[CELL.pass]! += 1;
      return { context };
    case 'skip':
      plugin.cells[CELL.skip]! += 1;
      return { context };
    case 'filter':
      return filtered(plugin, withActions(plugin, context, result.actions), result.reason);
    case 'act': {
      const asked = result.actions.find((action) => action.type === 'filter');
      if (asked?.type === 'filter') {
        return filtered(
          plugin,
          withActions(
            plugin,
            context,
            result.actions.filter((action) => action !== asked),
          ),
          asked.params.reason,
        );
      }
      plugin.cells[CELL.act]! += 1;
      return { context: withActions(plugin, context, result.actions) };
    }
    case 'amend': {
      const { message } = context;
      if (typeof message !== 'object' || message === null) return { context, failure: { error: refused('the message is not an object') } };
      const amended = { ...message, ...result.patch };
      const fault = check?.(amended);
      if (fault !== undefined) return { context, failure: { error: refused(fault) } };
      plugin.cells[CELL.amend]! += 1;
      return { context: withActions(plugin, context.withMessage(amended), result.actions) };
    }
    case 'fail':
      return { context: withActions(plugin, context, result.actions), failure: { error: result.error } };
    case 'retry':
      return chosen(plugin, context, { kind: 'retry', afterMs: result.afterMs });
    case 'dead_letter':
      return chosen(plugin, context, { kind: 'dead_letter', reason: result.reason });
    default:
      return { context, failure: { error: refused(`there is no result of the kind "${String((result as { kind?: unknown }).kind)}"`) } };
  }
}

function refused(why: string): PenstockError {
  return new PenstockError('PS4001', `the result is refused: ${why}`, { category: 'permanent' });
}

function filtered(plugin: PluginRuntime, context: PluginContext, reason: string): Applied {
  if (OBSERVING.has(context.stage)) {
    plugin.cells[CELL.pass]! += 1;
    return { context, ignored: `filtering is ignored at ${context.stage}: ${reason}` };
  }
  plugin.cells[CELL.filter]! += 1;
  return { context: context.withFiltered({ plugin: plugin.name, reason }) };
}

function chosen(plugin: PluginRuntime, context: PluginContext, verdict: NonNullable<PluginContext['verdict']>): Applied {
  plugin.cells[CELL.act]! += 1;
  if (context.stage !== 'error') return { context, ignored: `${verdict.kind} is for the stage error only, not ${context.stage}` };
  if (context.verdict !== undefined) return { context, ignored: `${verdict.kind} comes too late: a plugin before has decided` };
  return { context: context.withVerdict(verdict) };
}

/** Adds the actions: headers at once, for whoever comes after; publishes with the headers that stand at this moment. */
function withActions(plugin: PluginRuntime, start: PluginContext, actions: readonly Action[]): PluginContext {
  if (actions.length === 0) return start;
  let context = start;
  const planned: PlannedAction[] = [...start.actions];
  actions.forEach((action, index) => {
    if (action.type === 'add_header' && action.params.value !== '') context = context.withHeader(action.params.key, action.params.value);
    planned.push(
      new Planned(start, plugin.name, index, complete(action, context), modeOf(action, plugin.settings.mode), plugin.settings.required),
    );
  });
  return context.withActions(planned);
}

function complete(action: Action, context: PluginContext): Action {
  if (action.type !== 'publish_to_topic') return action;
  const { key = context.event_id, headers } = action.params;
  return {
    type: action.type,
    params: { ...action.params, key, headers: { ...traceContextOf(context.headers), ...context.added_headers, ...headers } },
  };
}

function modeOf(action: Action, asked: Mode | undefined): Mode {
  if (action.type === 'http_webhook' || action.type === 'send_email') return asked ?? 'background';
  return action.type === 'publish_to_topic' ? (asked ?? 'inline') : 'inline';
}
