import { describe, it } from 'vitest';
import { xactActions } from '../../src/domains/xact/workers/xact-actions.js';
import type { BreakerPolicy } from '../../src/plugin/entry.js';
import { outboxCalls } from '../../src/runtime/outbox-calls.js';
import type { OutboxRecord } from '../../src/runtime/plugin-actions.js';
import { marbles, workerOnLog } from '../../src/testing/index.js';

const URL = 'https://hooks.example.com/n';
const call = (letter: string): OutboxRecord => ({
  id: letter,
  plugin: 'notifier',
  action: { type: 'http_webhook', params: { url: URL, method: 'POST', body: { call: letter } } },
  context: {
    domain: 'xact',
    stage: 'result_process',
    event_id: letter,
    event_type: null,
    project_id: null,
    retry_count: 0,
    timestamp: '1970-01-01T00:00:00.000Z',
  },
});
const values = Object.fromEntries(Array.from('abcd', (letter) => [letter, call(letter)]));
const breaker: BreakerPolicy = { failures: 2, window: 1000, open: 20, probes: 1 };

/** Calls of the outbox, tried again in five minutes; two failures open the breaker for twenty milliseconds. */
const outbox = workerOnLog(
  ({ source, sink, signal, performers }) =>
    xactActions({
      source,
      sink,
      signal,
      performers,
      retryJitter: 0,
      calls: outboxCalls({
        serviceOf: () => URL,
        policyOf: () => ({ timeoutMs: 1000, retry: undefined, breaker, rate: undefined, concurrency: undefined }),
      }),
    }),
  { topic: 'xact.actions.outbox', group: 'xact-actions' },
);

describe('breaker opening and half-open', () => {
  it('opens after failures, waits without calling, tries one, and closes when that went well', () =>
    marbles(
      outbox,
      `
      in                                    a-b-c-d------------------------------|
      webhook POST ${URL}  a-b 20ms c---------d
      retried                               -a-b
      publish xact.actions.outbox.retry.5m  -a-b
      delivered                             24ms c---------d
      `,
      { values, mocks: { [`webhook POST ${URL}`]: ['1ms 503', '1ms 503', '1ms 200'] } },
    ));

  it('opens again when what it tried failed', () =>
    marbles(
      outbox,
      `
      in                                    a-b-c-----------------------------|
      webhook POST ${URL}  a-b 20ms c
      retried                               -a-b 20ms c
      publish xact.actions.outbox.retry.5m  -a-b 20ms c
      `,
      { values, mocks: { [`webhook POST ${URL}`]: '1ms 503' } },
    ));
});
