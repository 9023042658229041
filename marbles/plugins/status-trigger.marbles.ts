import { describe, it } from 'vitest';
import { statusTrigger } from '../../plugins/status-trigger.js';
import { marbles } from '../../src/testing/index.js';
import { keepsTheLaw } from './plugin-law.js';

const context = (message: unknown, letter: string) => ({
  stage: 'enrichment_complete',
  event_id: letter,
  event_type: 'claim',
  data: { trace_id: 't-1', status_subtype: message, assignment_id: 'A-1', estimate_version: null, attachment_count: 2 },
});
const payload = {
  event_id: 'c',
  trace_id: 't-1',
  event_type: 'claim',
  status_subtype: 'closed',
  assignment_id: 'A-1',
  estimate_version: null,
  attachment_count: 2,
  timestamp: '1970-01-01T00:00:00.000Z',
  domain: 'xact',
  stage: 'enrichment_complete',
  metadata: { plugin_name: 'status_trigger', plugin_version: '1.0.0', triggered_at: '1970-01-01T00:00:00.000Z' },
};
const values = { c: 'closed', o: 'opened', p: payload };

describe('status_trigger', () => {
  it('publishes, calls and logs when the status is the one', () =>
    marbles(
      statusTrigger({
        triggers: [
          { status: 'closed', publish_to_topic: 'closed', webhook: 'https://hooks.example.com/x', log: 'closed {assignment_id} {nothing}' },
        ],
      }),
      `
      in                                        co|
      out                                       co|
      publish closed                            p
      webhook POST https://hooks.example.com/x  c
      log                                       c
      `,
      { values, context },
    ));
  it('lets the last of two triggers for one status count, and lets others pass', () =>
    marbles(
      statusTrigger({
        triggers: [
          { status: 'closed', log: 'first' },
          { status: 'closed', publish_to_topic: ['a', 'b'] },
        ],
      }),
      { in: 'co|', out: 'co|', 'publish a': 'c', 'publish b': 'c' },
      { values, context },
    ));
  it('F6: runs for every event type', () =>
    marbles(
      statusTrigger({ triggers: [{ status: 'closed', log: 'x' }] }, { event_types: ['*'] }),
      { in: 'c|', out: 'c|', log: 'c' },
      { values, context },
    ));
  it('keeps the law', () => keepsTheLaw(() => statusTrigger({ triggers: [{ status: 'estimateCreated', log: '{trace_id}' }] })));
});
