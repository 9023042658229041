import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CATEGORIES } from '../../src/diagnostics/index.js';
import {
  comesBack,
  decideRedelivery,
  decideRetry,
  doneActionsOf,
  isForGroup,
  ownHeaders,
  retryCountOf,
  retryHeaders,
  RETRY_JITTER,
} from '../../src/runtime/retry-policy.js';

const delaysMs = [300_000, 600_000, 1_200_000];
const decide = (retryCount: number, category: (typeof CATEGORIES)[number] = 'transient', random = () => 0) =>
  decideRetry({ category, retryCount, delaysMs, random });

const facts = {
  traceId: 't-1',
  retryCount: 1,
  dueAt: Date.parse('2031-03-04T12:05:00Z'),
  delayMs: 300_000,
  targetTopic: 'xact.downloads_pending',
  workerType: 'download_worker',
  originalKey: 't-1',
  category: 'transient',
  domain: 'xact',
  group: 'xact-download',
  doneActions: ['a1', 'b2'],
} as const;

const redeliver = (headers: Readonly<Record<string, string>>, now = '2031-03-04T12:05:00Z') =>
  decideRedelivery({
    headers,
    recordKey: 'k1',
    now: Date.parse(now),
    maxRetries: 3,
    knownTargets: ['xact.downloads_pending'],
    retryTopic: 'xact.retry',
  });

describe('the decision about a retry', () => {
  it('C1: N delays are N retries, the last delay is used', () => {
    const actions = [0, 1, 2, 3].map((count) => decide(count));
    expect(actions.map((decision) => (decision.action === 'retry' ? decision.delayMs : decision.action))).toEqual([
      ...delaysMs,
      'dead_letter',
    ]);
    expect(actions.at(-1)).toEqual({ action: 'dead_letter', reason: 'max_retries_exceeded' });
  });

  it('C19: no later than the configured share of the delay', () => {
    const waits = [0, 0.5].map((jitter) => decideRetry({ category: 'transient', retryCount: 0, delaysMs, jitter, random: () => 1 }));
    expect(waits).toMatchObject([{ waitMs: 300_000 }, { waitMs: 450_000 }]);
  });

  it('C6: the number of retries is the number of delays, none for none', () => {
    expect(decideRetry({ category: 'transient', retryCount: 0, delaysMs: [], random: () => 0 })).toMatchObject({
      reason: 'max_retries_exceeded',
    });
  });

  it('C13: a permanent failure is never tried again, an open circuit is no attempt', () => {
    expect(decide(0, 'permanent')).toEqual({ action: 'dead_letter', reason: 'permanent' });
    expect(decide(3, 'circuit_open')).toEqual({ action: 'hold' });
    for (const category of ['transient', 'auth', 'unknown'] as const) expect(decide(0, category).action).toBe('retry');
  });

  it('C19: what failed together does not come back together', () => {
    const wait = (random: number) => {
      const decision = decide(0, 'transient', () => random);
      return decision.action === 'retry' ? decision.waitMs : Number.NaN;
    };
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
        expect(wait(random)).toBeGreaterThanOrEqual(300_000);
        expect(wait(random)).toBeLessThanOrEqual(300_000 * (1 + RETRY_JITTER));
      }),
    );
    expect(wait(0.9)).not.toBe(wait(0.1));
  });
});

describe('redelivery', () => {
  it('C9: headers survive the way to the retry topic and back', () => {
    const headers = retryHeaders(facts);
    expect(redeliver(headers, '2031-03-04T12:04:59Z')).toEqual({
      action: 'hold',
      until: facts.dueAt,
      targetTopic: 'xact.downloads_pending',
      key: 't-1',
    });
    const delivered = redeliver(headers);
    if (delivered.action !== 'deliver') return expect.unreachable(delivered.action);
    expect(delivered.headers).toMatchObject({ redelivered_from: 'xact.retry', retry_count: '1', worker_type: 'download_worker' });
    expect(retryCountOf(delivered.headers)).toBe(1);
    expect([...doneActionsOf(delivered.headers)]).toEqual(['a1', 'b2']);
    expect(comesBack(delivered.headers)).toBe(true);
    expect(isForGroup(delivered.headers, 'xact-download')).toBe(true);
    expect(isForGroup(delivered.headers, 'xact-delta-events')).toBe(false);
    expect(isForGroup({ consumer_group: 'x' }, 'xact-delta-events')).toBe(true);
    return undefined;
  });

  it('C2: what is overdue is due now, however long ago', () => {
    expect(redeliver(retryHeaders(facts), '2041-01-01T00:00:00Z').action).toBe('deliver');
  });

  it('F17: a target that nobody serves is noticed when the record comes, not when it is due', () => {
    const headers = { ...retryHeaders(facts), target_topic: 'xact.nowhere' };
    expect(redeliver(headers, '2031-03-04T12:00:00Z')).toEqual({ action: 'dead_letter', reason: 'unknown_target' });
  });

  it('any headers give a decision', () => {
    const name = fc.constantFrom('scheduled_retry_time', 'target_topic', 'retry_count', 'original_key');
    fc.assert(
      fc.property(fc.dictionary(name, fc.string()), (headers) => {
        expect(['deliver', 'hold', 'dead_letter']).toContain(redeliver({ ...retryHeaders(facts), ...headers }).action);
      }),
    );
  });

  it("plugins do not see the scheme's headers", () => {
    const { trace_id } = retryHeaders(facts);
    expect(ownHeaders({ ...retryHeaders(facts), event_type: 'a.b' })).toEqual({ trace_id, event_type: 'a.b' });
  });
});
