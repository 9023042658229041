import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readEvent } from '../../src/domains/xact/event.js';
import { flattenEvent } from '../../src/domains/xact/flatten.js';
import { downloadTask, enrichmentTask } from '../../src/domains/xact/messages.js';
import { downloadTasksOf, enrichmentTaskOf } from '../../src/domains/xact/tasks.js';

const now = new Date('2031-03-04T12:00:00Z');
const urls = { allowedHosts: ['files.example.com'] };
const lines = readFileSync(new URL('../golden/vectors/corpus-xact.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n');

describe('the recorded corpus', () => {
  it('goes through every step, and every message is valid as it is', () => {
    expect(lines).toHaveLength(300);
    let tasks = 0;
    for (const line of lines) {
      const task = enrichmentTaskOf(readEvent(Buffer.from(line)), now);
      if (task === undefined) continue;
      expect(enrichmentTask.parse(task)).toEqual(task);
      const made = downloadTasksOf(task, { urls, now });
      expect(made.refused).toEqual([]);
      expect(made.tasks).toHaveLength(new Set(task.attachments).size);
      for (const download of made.tasks) expect(downloadTask.parse(download)).toEqual(download);
      tasks += made.tasks.length;
    }
    expect(tasks).toBeGreaterThan(300);
  });

  it('A21: a line that comes again is the same event: the same ids, paths and row', () => {
    const made = new Map<string, unknown>();
    let again = 0;
    for (const line of lines) {
      const event = readEvent(Buffer.from(line));
      const task = enrichmentTaskOf(event, now);
      const facts = { row: flattenEvent(JSON.parse(line), { now, text: line }), tasks: task && downloadTasksOf(task, { urls, now }).tasks };
      if (made.has(event.traceId)) {
        again += 1;
        expect(facts).toEqual(made.get(event.traceId));
      }
      made.set(event.traceId, facts);
    }
    expect(again).toBeGreaterThan(0);
  });

  it('E6: no two attachments of the corpus are stored at one path', () => {
    const byPath = new Map<string, string>();
    for (const line of lines) {
      const task = enrichmentTaskOf(readEvent(Buffer.from(line)), now);
      for (const { blob_path, media_id } of task === undefined ? [] : downloadTasksOf(task, { urls, now }).tasks) {
        expect(byPath.get(blob_path) ?? media_id).toBe(media_id);
        byPath.set(blob_path, media_id);
      }
    }
    expect(byPath.size).toBeGreaterThan(200);
  });
});
