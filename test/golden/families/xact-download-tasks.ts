import { expect } from 'vitest';
import { MEDIA_NAMESPACE } from '../../../src/domains/xact/ids.js';
import { downloadResult, enrichmentTask } from '../../../src/domains/xact/messages.js';
import { downloadTasksOf } from '../../../src/domains/xact/tasks.js';
import { same } from '../compare.js';
import { fields, list, type Family } from '../family.js';

export const family: Family = {
  name: 'xact-download-tasks',
  check(vector) {
    const task = enrichmentTask.parse(fields(vector.in)['task']);
    const { tasks, refused } = downloadTasksOf(task, { urls: {}, now: new Date() });
    const want = fields(vector.want);
    expect(MEDIA_NAMESPACE).toBe(fields(vector.out)['media_namespace']);
    for (const record of refused) {
      expect(downloadResult.parse(record)).toEqual(record);
      expect(record.status).toBe('failed_permanent');
    }
    if (vector.want === undefined || want['tasks'] === 'as in out') same(tasks, fields(vector.out)['tasks']);
    if ('failed_permanent_records_for_urls' in want) {
      expect(refused.map((record) => record.attachment_url)).toEqual(want['failed_permanent_records_for_urls']);
    } else if (vector.want === undefined) expect(refused).toEqual([]);
    if (want['no_attachment_lost'] === true) expect(tasks.length + refused.length).toBe(want['attachment_count']);
    expect(list(task.attachments).length).toBeGreaterThanOrEqual(tasks.length + refused.length);
  },
};
