import { describe, it } from 'vitest';
import { webhookNotification } from '../../plugins/webhook-notification.js';
import { marbles } from '../../src/testing/index.js';
import { keepsTheLaw } from './plugin-law.js';

const url = 'https://hooks.example.com/n';
const body = { event_id: 'a', event_type: null, project_id: null, timestamp: '1970-01-01T00:00:00.000Z' };
const values = { b: body, t: { ...body, tasks: [{ task_id: 1 }] } };
const claimx = { domain: 'claimx', data: { entities: { tasks: [{ task_id: 1 }] } } };

describe('webhook_notification', () => {
  it('calls the webhook for each event', () =>
    marbles(
      webhookNotification({ webhook_url: url }),
      `
      in                                        a|
      out                                       a|
      webhook POST https://hooks.example.com/n  b
      `,
      { values, context: {} },
    ));
  it('adds the tasks of a ClaimX event, unless told not to', async () => {
    await marbles(
      webhookNotification({ webhook_url: url }),
      { in: 'a|', out: 'a|', [`webhook POST ${url}`]: 't' },
      { values, context: claimx },
    );
    const without = webhookNotification({ webhook_url: url, include_payload: false });
    await marbles(without, { in: 'a|', out: 'a|', [`webhook POST ${url}`]: 'b' }, { values, context: claimx });
  });
  it('does nothing without an address', () => marbles(webhookNotification(), { in: 'a|', out: 'a|' }, { context: {} }));
  it('keeps the law', () => keepsTheLaw(() => webhookNotification({ webhook_url: url })));
});
