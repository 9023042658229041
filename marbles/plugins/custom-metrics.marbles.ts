import { describe, it } from 'vitest';
import { customMetrics } from '../../plugins/custom-metrics.js';
import { marbles } from '../../src/testing/index.js';
import { keepsTheLaw } from './plugin-law.js';

describe('custom_metrics', () => {
  it('counts each event', () =>
    marbles(
      customMetrics(),
      `
      in                               -a-b-|
      out                              -a-b-|
      metric pipeline.event.processed  -a-b--
      `,
      { context: {} },
    ));
  it('counts the tasks of a ClaimX event as well', () =>
    marbles(
      customMetrics(),
      { in: 'a|', out: 'a|', 'metric pipeline.event.processed': 'a', 'metric claimx.tasks.count': 'a' },
      { context: { domain: 'claimx', data: { entities: { tasks: [{}, {}] } } } },
    ));
  it('keeps the law', () => keepsTheLaw(() => customMetrics()));
});
