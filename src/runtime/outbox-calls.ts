import { backoffMs, serverRetryAfterMs } from '../../operators/index.js';
import { categoryOf, PenstockError } from '../diagnostics/index.js';
import { ActionGate, ClosedGate } from '../plugin/action-gate.js';
import type { RetryPolicy } from '../plugin/entry.js';
import type { ActionPolicy } from '../plugin/runtime.js';
import { type Guard, heldBack, SHORTEST_PAUSE_MS } from './guarded-call.js';
import type { OutboxRecord } from './plugin-actions.js';

export interface OutboxCallsOptions {
  /** What the entry of a plugin says of its actions; none for a plugin that is gone. */
  readonly policyOf?: (plugin: string) => ActionPolicy | undefined;
  /** Guards the services that actions go to. Without it every call is made. */
  readonly services?: Guard | undefined;
  /** What fails together with an action: its connection, or its host. */
  readonly serviceOf: (record: OutboxRecord) => string;
  /** How a call is tried again at once where the plugin's entry says nothing, before the action goes to the retry topics. Defaults to not at all. */
  readonly retryOf?: (record: OutboxRecord) => RetryPolicy | undefined;
  /** The most calls that are out at once, whatever the plugins. Defaults to 16. */
  readonly concurrency?: number | undefined;
  /** Draws from [0, 1). Defaults to `Math.random`. */
  readonly random?: () => number;
}

/** Makes the call of an action of the outbox when its turn has come. */
export type OutboxCall = (record: OutboxRecord, call: () => Promise<void>, ...signals: readonly AbortSignal[]) => Promise<void>;

const ONCE: RetryPolicy = { attempts: 1, base: 0, cap: 0 };

/**
 * Keeps calls of the outbox to what the entries of their plugins say: so many at once, so many a second, so many attempts in a row. While the breaker
 * of a plugin or of a service is open, a call waits: that is no attempt. What waits for one plugin does not hold back the calls of another.
 */
export function outboxCalls({
  policyOf,
  services,
  serviceOf,
  retryOf,
  concurrency = 16,
  random = Math.random,
}: OutboxCallsOptions): OutboxCall {
  const gates = new Map<string, ActionGate | undefined>();
  const all = ActionGate.of('the outbox', { timeoutMs: 0, retry: undefined, breaker: undefined, rate: undefined, concurrency });
  const gateOf = (plugin: string): ActionGate | undefined => {
    if (!gates.has(plugin)) gates.set(plugin, ActionGate.of(plugin, policyOf?.(plugin)));
    return gates.get(plugin);
  };
  return async (record, call, ...signals) => {
    const { attempts, base, cap } = policyOf?.(record.plugin)?.retry ?? retryOf?.(record) ?? ONCE;
    const guarded = (): Promise<void> => through(all, call, signals);
    const attempt = (): Promise<void> =>
      through(
        gateOf(record.plugin),
        () => (services === undefined ? guarded() : services.run(serviceOf(record), guarded, ...signals)),
        signals,
      );
    for (let made = 0; ; made += 1) {
      try {
        await attempt();
        return;
      } catch (error) {
        const category = categoryOf(error);
        if (made + 1 >= attempts || (category !== 'transient' && category !== 'unknown')) throw error;
        const asked = error instanceof PenstockError ? error.retryAfterMs : undefined;
        const pauseMs =
          asked === undefined
            ? backoffMs({ attempt: made, baseMs: base, capMs: cap, random })
            : serverRetryAfterMs({ retryAfterMs: asked, capMs: cap });
        await heldBack(pauseMs, signals);
      }
    }
  };
}

async function through(gate: ActionGate | undefined, call: () => Promise<void>, signals: readonly AbortSignal[]): Promise<void> {
  if (gate === undefined) return call();
  await entered(gate, signals);
  let category: string | undefined;
  try {
    await call();
  } catch (error) {
    category = categoryOf(error);
    throw error;
  } finally {
    gate.left(Date.now(), category);
  }
}

/** Waits for a place; an open breaker is waited for as well. */
async function entered(gate: ActionGate, signals: readonly AbortSignal[]): Promise<void> {
  let wait: ReturnType<ActionGate['enter']>;
  for (;;) {
    try {
      wait = gate.enter(Date.now());
      break;
    } catch (error) {
      if (!(error instanceof ClosedGate)) throw error;
      await heldBack(Math.max(error.retryAfterMs ?? 0, SHORTEST_PAUSE_MS), signals);
    }
  }
  if (typeof wait !== 'number') return wait;
  try {
    await heldBack(wait, signals);
  } catch (error) {
    gate.left(Date.now(), 'permanent'); // nothing was called: it counts for no breaker
    throw error;
  }
}
