import { describe, expect, it } from 'vitest';
import { parseEvent } from '../../src/domains/xact/event.js';
import { EVENT_NAMESPACE, MEDIA_NAMESPACE, eventId, mediaId } from '../../src/domains/xact/ids.js';
import { downloadResult, type DownloadTask, downloadTask, enrichmentTask } from '../../src/domains/xact/messages.js';
import { downloadTasksOf, enrichmentTaskOf, failureResultOf, retriedTask } from '../../src/domains/xact/tasks.js';
import { URL_NAMESPACE, uuidV5 } from '../../src/domains/uuid.js';
import { PenstockError } from '../../src/diagnostics/index.js';

const now = new Date('2031-03-04T12:00:00Z');
const urls = { allowedHosts: ['files.example.com'] };

const event = (data: unknown, utcDateTime = '2031-03-04T05:06:07-07:00') =>
  parseEvent({ type: 'verisk.claims.property.xn.estimatePackageReceived', utcDateTime, traceId: 't-1', data });

const taskFor = (...attachments: readonly string[]) =>
  enrichmentTaskOf(event({ assignmentId: 'DEMO-A-1', estimateVersion: '2', attachments }), now)!;

describe('enrichment tasks', () => {
  it('hold what the event says, in the form of the message', () => {
    const task = taskFor('https://files.example.com/a.pdf');
    expect(enrichmentTask.parse(task)).toEqual(task);
    expect(task).toMatchObject({
      event_id: eventId('t-1'),
      event_type: 'xact',
      status_subtype: 'estimatePackageReceived',
      original_timestamp: '2031-03-04T12:06:07Z',
      created_at: '2031-03-04T12:00:00Z',
    });
  });

  it('none is made of an event without an assignment', () => {
    for (const data of [{}, { assignmentId: null }, { assignmentId: '' }, { assignmentId: '  ' }, 'not json', '5', '[]']) {
      expect(enrichmentTaskOf(event(data), now)).toBeUndefined();
    }
  });

  it('A25: an unusable time or an id that is no text is a permanent failure of this event', () => {
    const make = (data: unknown, time?: string) => () => enrichmentTaskOf(event(data, time), now);
    expect(make({ assignmentId: 'DEMO-A-1' }, 'not-a-date')).toThrow(PenstockError);
    expect(make({ assignmentId: 'DEMO-A-1' }, '')).toThrow(/original_timestamp/);
    expect(make({ assignmentId: 5 })).toThrow(/assignment_id/);
    expect(make({ assignmentId: { a: 1 } })).toThrow(PenstockError);
  });
});

describe('download tasks', () => {
  it('E2: media ids have one name space', () => {
    expect(uuidV5(URL_NAMESPACE, 'http://xactPipeline/media_id')).toBe(MEDIA_NAMESPACE);
    expect(uuidV5(URL_NAMESPACE, 'http://nsmkdvPipe/event_id')).toBe(EVENT_NAMESPACE);
    const [task] = downloadTasksOf(taskFor('https://files.example.com/a.pdf'), { urls, now }).tasks;
    expect(task?.media_id).toBe(mediaId('t-1', 'https://files.example.com/a.pdf'));
  });

  it('E3: a refused attachment is a permanent failure on record, and its neighbours go on', () => {
    const made = downloadTasksOf(taskFor('https://evil.example.org/a.pdf', 'https://files.example.com/b.pdf', '  ', 'not-a-url'), {
      urls,
      now,
    });
    expect(made.tasks.map((task) => task.attachment_url)).toEqual(['https://files.example.com/b.pdf']);
    expect(made.refused.map((result) => [result.attachment_url, result.status, result.error_message])).toEqual([
      ['https://evil.example.org/a.pdf', 'failed_permanent', 'the URL is refused: not_in_allow_list'],
      ['"  "', 'failed_permanent', 'the URL is refused: empty'],
      ['not-a-url', 'failed_permanent', 'the URL is refused: invalid_format'],
    ]);
    for (const result of made.refused) expect(downloadResult.parse(result)).toEqual(result);
    for (const task of made.tasks) expect(downloadTask.parse(task)).toEqual(task);
  });

  it('E6: two attachments of one event with one path do not meet: the later has its media id in its name', () => {
    const [first, second] = ['https://files.example.com/1/a.pdf', 'https://files.example.com/2/a.pdf'] as const;
    const { tasks } = downloadTasksOf(taskFor(first, second), { urls, now });
    const base = 'estimatePackageReceived/DEMO-A-1/t-1/DEMO-A-1_2_a';
    expect(tasks.map((task) => task.blob_path)).toEqual([`${base}.pdf`, `${base}_${mediaId('t-1', second).slice(0, 8)}.pdf`]);
  });

  it('E6: many attachments with one name have as many paths, the same at each delivery', () => {
    const attachments = Array.from({ length: 50 }, (_, index) => `https://files.example.com/${index}/a.pdf`);
    const paths = () => downloadTasksOf(taskFor(...attachments), { urls, now }).tasks.map((task) => task.blob_path);
    expect(new Set(paths()).size).toBe(50);
    expect(paths()).toEqual(paths());
  });

  it('an attachment that is named twice is one', () => {
    const made = downloadTasksOf(taskFor('https://files.example.com/a.pdf', 'https://files.example.com/a.pdf'), { urls, now });
    expect(made.tasks).toHaveLength(1);
  });
});

describe('results of failure', () => {
  const [task] = downloadTasksOf(taskFor('https://files.example.com/a.pdf'), { urls, now }).tasks;
  const failure = { message: 'HTTP 503', httpStatus: 503 };
  const retry = { action: 'retry', delayMs: 5, waitMs: 5, retryCount: 1 } as const;
  const deadLetter = { action: 'dead_letter', reason: 'max_retries_exceeded' } as const;

  it('E18: every result has the HTTP status that is known', () => {
    for (const decision of [retry, deadLetter]) expect(failureResultOf(task!, failure, decision, now)?.http_status).toBe(503);
  });

  it('C17: used-up retries end as failed_permanent, an attempt in between as failed', () => {
    expect(failureResultOf(task!, failure, retry, now)?.status).toBe('failed');
    expect(failureResultOf(task!, failure, deadLetter, now)?.status).toBe('failed_permanent');
    expect(failureResultOf(task!, failure, { action: 'hold' }, now)).toBeUndefined();
  });

  it('a retried task counts, keeps its metadata and says what happened', () => {
    const retried = retriedTask<DownloadTask>(
      { ...task!, metadata: { keep: 'me' } },
      { error: 'x'.repeat(600), category: 'transient', dueAt: now },
    );
    expect(retried.retry_count).toBe(1);
    expect(retried.metadata).toMatchObject({ keep: 'me', error_category: 'transient', retry_at: '2031-03-04T12:00:00Z' });
    expect(retried.metadata['last_error']).toHaveLength(500);
    expect(downloadTask.parse(retried)).toEqual(retried);
  });
});
