import { describe, it } from 'vitest';
import { genericAlerter } from '../../plugins/generic-alerter.js';
import { marbles } from '../../src/testing/index.js';
import { keepsTheLaw } from './plugin-law.js';

const values = { f: { trace_id: 't-1', status: 'failed_permanent' }, c: { trace_id: 't-2', status: 'completed' } };

describe('generic_alerter', () => {
  it.each(['xact', 'claimx'])('alerts of anything routable whose status is in the list: %s', (domain) =>
    marbles(genericAlerter({ topic: 'alerts' }), { in: '-f-c-|', out: '-f-c-|', 'publish alerts': '-f' }, { values, context: { domain } }),
  );
  it('takes the statuses from the config', () =>
    marbles(
      genericAlerter({ topic: ['a'], statuses: ['completed'] }),
      { in: 'fc|', out: 'fc|', 'publish a': '-c' },
      { values, context: {} },
    ));
  it('keeps the law', () => keepsTheLaw(() => genericAlerter({ topic: 'alerts' })));
});
