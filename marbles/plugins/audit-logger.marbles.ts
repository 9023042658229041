import { describe, expect, it } from 'vitest';
import { auditLogger } from '../../plugins/audit-logger.js';
import { marbles } from '../../src/testing/index.js';
import { keepsTheLaw } from './plugin-law.js';

const record = { domain: 'xact', stage: 'event_ingest', event_id: 'a', event_type: null, project_id: null, retry_count: 0 };
const values = {
  a: { n: 1 },
  p: { ...record, timestamp: '1970-01-01T00:00:00.000Z' },
  f: { ...record, payload: { n: 1 }, timestamp: '1970-01-01T00:00:00.000Z' },
};

describe('audit_logger', () => {
  it('logs each event', () =>
    marbles(
      auditLogger(),
      `
      in   -a-|
      out  -a-|
      log  -a--
      `,
      { values, context: {} },
    ));
  it('writes to a topic instead, with the message where that is asked for', async () => {
    await marbles(auditLogger({ topic: 'audit' }), { in: 'a|', out: 'a|', 'publish audit': 'p' }, { values, context: {} });
    await marbles(
      auditLogger({ topic: 'audit', include_payload: true }),
      { in: 'a|', out: 'a|', 'publish audit': 'f' },
      { values, context: {} },
    );
  });
  it('calls a webhook instead', () =>
    marbles(
      auditLogger({ webhook_url: 'https://a.example.com/' }),
      { in: 'a|', out: 'a|', 'webhook POST https://a.example.com/': 'p' },
      { values, context: {} },
    ));
  it('does not take both', () => {
    expect(() => auditLogger({ topic: 'a', webhook_url: 'https://a.example.com/' })).toThrow('not both');
  });
  it('keeps the law', () => keepsTheLaw(() => auditLogger()));
});
