import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import type { ActionPolicy } from '../../src/plugin/runtime.js';
import { guard } from '../../src/runtime/guarded-call.js';
import { outboxCalls, type OutboxCallsOptions } from '../../src/runtime/outbox-calls.js';
import type { OutboxRecord } from '../../src/runtime/plugin-actions.js';

const action = (plugin: string): OutboxRecord => ({
  id: plugin,
  plugin,
  action: { type: 'http_webhook', params: { url: `https://${plugin}.example.com/` } },
  context: {
    domain: 'xact',
    stage: 'event_ingest',
    event_id: 't1',
    event_type: null,
    project_id: null,
    retry_count: 0,
    timestamp: '2031-03-04T05:06:07Z',
  },
});

const policy = (said: Partial<ActionPolicy>): ActionPolicy => ({
  timeoutMs: 1_000,
  retry: undefined,
  breaker: undefined,
  rate: undefined,
  concurrency: undefined,
  ...said,
});

const down = () => new PenstockError('PS4002', 'answered 503', { category: 'transient', httpStatus: 503 });

const calling = (options: Partial<OutboxCallsOptions>) =>
  outboxCalls({ serviceOf: ({ plugin }) => plugin, concurrency: 16, random: () => 1, ...options });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('calls of the outbox', () => {
  it('F4: are made so many at once and so many a second as the entry of their plugin says', async () => {
    const policies: Readonly<Record<string, ActionPolicy>> = {
      slow: policy({ rate: { per_second: 1, burst: 1 } }),
      single: policy({ concurrency: 1 }),
    };
    const calls = calling({ policyOf: (plugin) => policies[plugin] });
    const made: string[] = [];
    const ends: (() => void)[] = [];
    const all = [
      ...[1, 2, 3].map(() => calls(action('slow'), () => Promise.resolve(void made.push('slow')))),
      ...[1, 2].map(() =>
        calls(action('single'), () => {
          made.push('single');
          return new Promise<void>((resolve) => ends.push(resolve));
        }),
      ),
      calls(action('free'), () => Promise.resolve(void made.push('free'))),
    ];
    await vi.advanceTimersByTimeAsync(0);
    expect(made.toSorted()).toEqual(['free', 'single', 'slow']);
    ends[0]!();
    await vi.advanceTimersByTimeAsync(0);
    expect(made.filter((name) => name === 'single')).toHaveLength(2);
    ends[1]!();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(made.filter((name) => name === 'slow')).toHaveLength(3);
    await Promise.all(all);
  });

  it('wait while a service is down; that is no attempt, and calls of other services go on', async () => {
    const services = guard({ failureThreshold: 2, successThreshold: 1, openMs: 30_000, halfOpenMax: 1 });
    const calls = calling({ services });
    let up = false;
    let tries = 0;
    const call = (): Promise<void> => {
      tries += 1;
      return up ? Promise.resolve() : Promise.reject(down());
    };
    const first = await Promise.allSettled([calls(action('crm'), call), calls(action('crm'), call)]);
    expect(first.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const ended: string[] = [];
    const waiting = calls(action('crm'), call).then(() => ended.push('crm'));
    await calls(action('other'), () => Promise.resolve()).then(() => ended.push('other'));
    await vi.advanceTimersByTimeAsync(29_000);
    expect([tries, ended]).toEqual([2, ['other']]);
    up = true;
    await vi.advanceTimersByTimeAsync(1_000);
    await waiting;
    expect([tries, ended]).toEqual([3, ['other', 'crm']]);
  });

  it("wait while the breaker of the plugin's own entry is open", async () => {
    const breaker = { failures: 1, window: 1_000, open: 5_000, probes: 1 };
    const calls = calling({ policyOf: () => policy({ breaker }) });
    await expect(calls(action('a'), () => Promise.reject(down()))).rejects.toThrow('503');
    const made = vi.fn(() => Promise.resolve());
    const waiting = calls(action('a'), made);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(made).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await waiting;
    expect(made).toHaveBeenCalledTimes(1);
  });

  it('are tried again at once as the entry says, else as the connection says; a permanent failure is not', async () => {
    const counted = (failing: () => Error) => {
      const made = vi.fn(() => Promise.reject(failing()));
      return made;
    };
    const calls = calling({
      policyOf: (plugin) => (plugin === 'said' ? policy({ retry: { attempts: 3, base: 100, cap: 150 } }) : undefined),
      retryOf: () => ({ attempts: 2, base: 10, cap: 10 }),
    });
    const said = counted(down);
    const connection = counted(down);
    const refused = counted(() => new PenstockError('PS4002', 'answered 400', { category: 'permanent' }));
    const all = Promise.allSettled([calls(action('said'), said), calls(action('other'), connection), calls(action('said'), refused)]);
    await vi.advanceTimersByTimeAsync(99);
    expect([said.mock.calls.length, connection.mock.calls.length, refused.mock.calls.length]).toEqual([1, 2, 1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(said).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(149);
    expect(said).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(1);
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(said).toHaveBeenCalledTimes(3);
    expect(connection).toHaveBeenCalledTimes(2);
  });

  it('L8: give up waiting when the worker drains, and free the place that they had', async () => {
    const calls = calling({ policyOf: () => policy({ rate: { per_second: 0.001, burst: 1 }, concurrency: 1 }) });
    await calls(action('a'), () => Promise.resolve());
    const draining = new AbortController();
    const waiting = calls(action('a'), () => Promise.resolve(), draining.signal);
    draining.abort();
    await expect(waiting).rejects.toMatchObject({ category: 'circuit_open' });
    const next = vi.fn(() => Promise.resolve());
    const later = calls(action('a'), next);
    await vi.advanceTimersByTimeAsync(2_000_000);
    await later;
    expect(next).toHaveBeenCalledTimes(1);
  });
});
