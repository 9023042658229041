import { decideRedelivery } from '../../../src/runtime/retry-policy.js';
import { superset } from '../compare.js';
import { fields, list, wanted, type Family } from '../family.js';

const REASONS: Readonly<Record<string, string>> = { max_retries_exceeded: 'exhausted' };

export const family: Family = {
  name: 'retry-scheduler',
  check(vector) {
    const input = fields(vector.in);
    const known = list(input['known_targets']).map(String);
    const decision = decideRedelivery({
      headers: input['headers'] as Readonly<Record<string, string>>,
      recordKey: input['record_key'] as string | null,
      now: Date.parse(input['now'] as string),
      maxRetries: list(input['retry_delays_seconds']).length,
      knownTargets: known,
      retryTopic: 'xact.retry',
    });
    const found =
      decision.action === 'dead_letter'
        ? { action: 'dlq', reason: REASONS[decision.reason] ?? decision.reason }
        : decision.action === 'hold'
          ? { action: 'hold', until: new Date(decision.until), target_topic: decision.targetTopic, key: decision.key }
          : { action: 'deliver', target_topic: decision.targetTopic, key: decision.key, headers: decision.headers };
    superset(found, wanted(vector));
  },
};
