import { describe, it } from 'vitest';
import { statusSubtypeRouter } from '../../plugins/status-subtype-router.js';
import { marbles } from '../../src/testing/index.js';
import { result } from './download-result.js';
import { keepsTheLaw } from './plugin-law.js';

const values = {
  e: result({ status_subtype: 'estimateCreated' }),
  d: result(),
  o: result({ status_subtype: 'toString' }),
  f: result({ status: 'failed_permanent' }),
};

describe('status_subtype_router', () => {
  it('publishes completed results to the topic of their subtype', () =>
    marbles(
      statusSubtypeRouter(),
      `
      in                               -e-d-o-f-|
      out                              -e-d-o-f-|
      publish xact.estimates.received  -e--------
      publish xact.documents.received  ---d------
      `,
      { values, context: {} },
    ));
  it('publishes to every topic of a route', () =>
    marbles(
      statusSubtypeRouter({ routes: { documentsReceived: ['a', 'b'] } }),
      { in: 'de|', out: 'de|', 'publish a': 'd', 'publish b': 'd' },
      { values, context: {} },
    ));
  it('keeps the law', () => keepsTheLaw(() => statusSubtypeRouter()));
});
