import { expect } from 'vitest';
import { PenstockError, type Category } from '../../../src/diagnostics/index.js';
import { retriedTask } from '../../../src/domains/xact/tasks.js';
import { deadLetter, deadLetterRecord } from '../../../src/runtime/dead-letter.js';
import { decideRetry, retryHeaders } from '../../../src/runtime/retry-policy.js';
import { superset } from '../compare.js';
import { fields, wanted, type Family } from '../family.js';

type Task = Readonly<Record<string, unknown>> & {
  readonly trace_id: string;
  readonly retry_count: number;
  readonly metadata: Readonly<Record<string, unknown>> | null;
};

interface Kind {
  readonly domain: string;
  readonly target: string;
  readonly workerType: string;
  /** What stands at the top of its dead letters. */
  readonly about: readonly string[];
  readonly dlqHeaders: (task: Task) => Readonly<Record<string, string>>;
}

const KINDS: Readonly<Record<string, Kind>> = {
  xact_download: {
    domain: 'xact',
    target: 'xact.downloads_pending',
    workerType: 'download_worker',
    about: ['trace_id', 'media_id', 'attachment_url'],
    dlqHeaders: () => ({}),
  },
  claimx_download: {
    domain: 'claimx',
    target: 'claimx.downloads_pending',
    workerType: 'download_worker',
    about: ['trace_id', 'media_id', 'project_id', 'download_url'],
    dlqHeaders: () => ({ url_refresh_attempted: 'False' }),
  },
  claimx_enrichment: {
    domain: 'claimx',
    target: 'claimx.enrichment_pending',
    workerType: 'enrichment_worker',
    about: ['trace_id', 'event_type', 'project_id'],
    dlqHeaders: (task) => ({ trace_id: task.trace_id }),
  },
};

export const family: Family = {
  name: 'retry-decision',
  check(vector) {
    const input = fields(vector.in);
    const goal = fields(wanted(vector));
    const kind = KINDS[String(input['kind'])];
    if (kind === undefined) throw new Error(`no retry of kind ${String(input['kind'])}`);
    const task = { metadata: null, ...fields(input['task']) } as unknown as Task;
    const category = input['category'] as Category;
    const error = input['error_text'] as string;
    const now = Date.parse(input['now'] as string);
    const delaysMs = (input['retry_delays_seconds'] as readonly number[]).map((seconds) => seconds * 1000);
    const decision = decideRetry({ category, retryCount: task.retry_count, delaysMs, random: () => 0 });

    if (decision.action === 'retry') {
      const dueAt = now + decision.waitMs;
      const retried = retriedTask(task, { error, category, dueAt: new Date(dueAt) });
      const headers = retryHeaders({
        traceId: task.trace_id,
        retryCount: decision.retryCount,
        dueAt,
        delayMs: decision.delayMs,
        targetTopic: kind.target,
        workerType: kind.workerType,
        originalKey: task.trace_id,
        category,
        domain: kind.domain,
      });
      const found = { action: 'retry', delay_seconds: decision.delayMs / 1000, key: task.trace_id, headers };
      superset({ ...found, retry_count: retried.retry_count, metadata: retried.metadata, download_url: task['download_url'] }, goal);
      return;
    }
    if (decision.action === 'hold') expect.unreachable('an open circuit is no attempt');
    const record = deadLetterRecord({
      topic: `${kind.domain}.dlq`,
      source: { kind: 'line', file: 'vector', line: 1, bytes: Buffer.from(JSON.stringify(task)), topic: kind.target },
      reason: decision.reason,
      error: new PenstockError('PS4104', error, { category }),
      domain: kind.domain,
      worker: `${kind.domain}-download`,
      retryCount: task.retry_count,
      message: task,
      about: Object.fromEntries(kind.about.map((name) => [name, task[name]])),
      headers: kind.dlqHeaders(task),
      now: new Date(now),
    });
    const envelope = deadLetter.parse(JSON.parse(record.value as string));
    superset(
      {
        action: 'dlq',
        reason: decision.reason === 'max_retries_exceeded' ? 'exhausted' : decision.reason,
        key: record.key,
        headers: record.headers,
        body_without_original_task: envelope,
        original_task_retry_count: (envelope.original_task as Task).retry_count,
      },
      goal,
    );
  },
};
