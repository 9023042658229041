import { expect } from 'vitest';
import type { Category } from '../../../src/diagnostics/index.js';
import { downloadResult, type DownloadTask } from '../../../src/domains/xact/messages.js';
import { failureResultOf } from '../../../src/domains/xact/tasks.js';
import { decideRetry } from '../../../src/runtime/retry-policy.js';
import { superset } from '../compare.js';
import { fields, wanted, type Family } from '../family.js';

const task: DownloadTask = {
  trace_id: 't-1',
  media_id: 'm-1',
  attachment_url: 'https://files.example.com/a.pdf',
  blob_path: 'a/b/c.pdf',
  status_subtype: 'documentsReceived',
  file_type: 'PDF',
  assignment_id: 'DEMO-A-1',
  estimate_version: null,
  retry_count: 0,
  event_type: 'xact',
  event_subtype: 'documentsReceived',
  original_timestamp: '2031-03-04T05:06:07Z',
  metadata: {},
};

const ROUTES = { retry: 'retry', dead_letter: 'dlq', hold: 'nowhere' } as const;

export const family: Family = {
  name: 'download-failure-result',
  check(vector) {
    const input = fields(vector.in);
    const goal = fields(wanted(vector));
    const retryCount = input['retry_count'] as number;
    const decision = decideRetry({
      category: (input['category'] as Category | null) ?? 'unknown',
      retryCount,
      delaysMs: (input['retry_delays_seconds'] as readonly number[]).map((seconds) => seconds * 1000),
      random: () => 0,
    });
    const failure = { message: input['error_message'] as string | null, httpStatus: input['http_status'] as number | null };
    const result = failureResultOf({ ...task, retry_count: retryCount }, failure, decision, new Date(input['now'] as string));
    expect(ROUTES[decision.action]).toBe(goal['routed_to']);
    if (goal['result'] === null) expect(result).toBeUndefined();
    else superset(downloadResult.parse(result), goal['result']);
  },
};
