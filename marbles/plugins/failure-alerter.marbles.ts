import { describe, it } from 'vitest';
import { failureAlerter } from '../../plugins/failure-alerter.js';
import { marbles } from '../../src/testing/index.js';
import { result } from './download-result.js';
import { keepsTheLaw } from './plugin-law.js';

const failed = { status: 'failed_permanent', error_message: 'gone', http_status: 404 };
const alert = (severity: string, retry_count: number) => ({
  alert_type: 'download_failure',
  severity,
  trace_id: 't-1',
  assignment_id: 'A-1',
  error_message: 'gone',
  retry_count,
  http_status: 404,
});
const values = {
  c: result({ retry_count: 9 }),
  t: result({ status: 'failed', retry_count: 9 }),
  l: result({ ...failed, retry_count: 2 }),
  f: result({ ...failed, retry_count: 3 }),
  g: result({ ...failed, retry_count: 5 }),
  m: alert('medium', 3),
  h: alert('high', 5),
};

describe('failure_alerter', () => {
  it('alerts of lasting failures with enough retries, with a severity', () =>
    marbles(
      failureAlerter(),
      `
      in                            -c-t-l-f-g-|
      out                           -c-t-l-f-g-|
      publish xact.alerts.failures  -------m-h--
      `,
      { values, context: {} },
    ));
  it('takes its bounds and its topic from the config', () =>
    marbles(
      failureAlerter({ topic: 'alerts', min_retries: 4, high_retries: 4 }),
      { in: 'fg|', out: 'fg|', 'publish alerts': '-h' },
      { values, context: {} },
    ));
  it('keeps the law', () => keepsTheLaw(() => failureAlerter()));
});
