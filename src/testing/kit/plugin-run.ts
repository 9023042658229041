import { Observable, of } from 'rxjs';
import { openDelivery, type Delivery } from '../../../operators/index.js';
import { FUSED } from '../../plugin/definition.js';
import {
  type Action,
  type AnySpec,
  chainWith,
  type Context,
  type Passed,
  type PluginOperator,
  PluginResult,
  type Result,
} from '../../plugin/index.js';
import { MarblesError } from '../report.js';

/** What became of one context in a plugin or a chain. */
export interface PluginRun {
  /** No plugin failed or ran out of time. */
  readonly success: boolean;
  /** What was asked for, in order. */
  readonly actions: readonly Action[];
  /** It ended here: filtered, or failed by `on_error`. */
  readonly terminated: boolean;
  /** Why it was filtered. */
  readonly reason: string | undefined;
  /** Why a plugin failed. */
  readonly error: unknown;
  /** What a plugin at `error` chose. */
  readonly verdict: Passed['verdict'];
  /** The context as whatever comes next would see it, with added headers and the amended message. */
  readonly context: Context;
}

/** A plugin that was made, or a definition that needs no config. */
export type Runnable = PluginOperator<never> | (((config?: never) => PluginOperator<never>) & { readonly spec: AnySpec });

/** Runs one context through a plugin or a chain, in real time, and performs nothing of what it asks for. */
export function runPlugin(plugin: Runnable, context: Context): Promise<PluginRun> {
  const made = FUSED in plugin ? plugin : plugin();
  let error: unknown;
  const chain = chainWith(
    {
      log: (line) => {
        if (line.level === 'warn' && line.error !== undefined) error = line.error;
      },
    },
    made as PluginOperator,
  );
  return new Promise<PluginRun>((resolve, reject) => {
    const told = (passed: Partial<Passed>, left: { readonly reason?: string | undefined } | undefined): void =>
      resolve({
        success: error === undefined,
        actions: (passed.actions ?? []).map(({ action }) => action),
        terminated: left !== undefined || passed.filtered !== undefined,
        reason: left === undefined ? passed.filtered?.reason : left.reason,
        error,
        verdict: passed.verdict,
        context: passed.context ?? context,
      });
    const delivery = openDelivery<Context>(context, undefined, {
      settled: ({ outcome, reason }, confirm) => {
        confirm(outcome);
        if (outcome !== 'delivered') told({}, { reason });
      },
      failed: (failure, failed) => {
        error ??= failure;
        failed.settle('dead_lettered');
      },
    });
    const passed$ = chain(of(delivery) as Observable<Delivery<Context>>);
    passed$.subscribe({
      next: (passed) => {
        told(passed.value, undefined);
        passed.settle('delivered');
      },
      error: reject,
    });
  });
}

export interface ExpectedResult {
  /** Defaults to true. */
  readonly success?: boolean;
  /** How many, or which. Defaults to none. */
  readonly actions?: number | readonly Action['type'][];
  /** Defaults to false. */
  readonly terminated?: boolean;
}

/**
 * Asserts what a plugin answered: the result of `runPlugin`, or what its function returned.
 *
 * @throws {MarblesError} that says what differs.
 */
export function assertPluginResult(
  result: PluginRun | PluginResult | Result | undefined | void,
  { success = true, actions = 0, terminated = false }: ExpectedResult = {},
): void {
  const got = outlineOf(result);
  const wanted = typeof actions === 'number' ? String(actions) : actions.join(', ');
  const asked = typeof actions === 'number' ? String(got.actions.length) : got.actions.map(({ type }) => type).join(', ');
  const differences = [
    ...(got.success === success ? [] : [success ? `it failed: ${String(got.error)}` : 'it did not fail']),
    ...(asked === wanted ? [] : [`it asked for ${asked === '' ? 'nothing' : asked}, expected ${wanted === '' ? 'nothing' : wanted}`]),
    ...(got.terminated === terminated
      ? []
      : [terminated ? 'the delivery goes on' : `the delivery ends here (${got.reason ?? 'no reason'})`]),
  ];
  if (differences.length > 0) throw new MarblesError(`the plugin answered otherwise: ${differences.join('; ')}`);
}

type Outline = Pick<PluginRun, 'success' | 'actions' | 'terminated' | 'reason' | 'error'>;

function outlineOf(result: PluginRun | PluginResult | Result | undefined | void): Outline {
  const outline: Outline = { success: true, actions: [], terminated: false, reason: undefined, error: undefined };
  if (result === undefined || result === null) return outline;
  if (result instanceof PluginResult) {
    const { success, actions, terminate_pipeline: terminated, message } = result;
    return {
      ...outline,
      success,
      actions: actions.filter(({ type }) => type !== 'filter'),
      terminated,
      reason: message ?? undefined,
      error: message,
    };
  }
  if (!('kind' in result)) return result;
  const actions = 'actions' in result ? result.actions : [];
  if (result.kind === 'filter') return { ...outline, actions, terminated: true, reason: result.reason };
  if (result.kind === 'fail') return { ...outline, actions, success: false, error: result.error };
  return { ...outline, actions };
}
