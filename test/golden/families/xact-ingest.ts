import { expect } from 'vitest';
import { PenstockError } from '../../../src/diagnostics/index.js';
import { readEvent } from '../../../src/domains/xact/event.js';
import { enrichmentTaskOf } from '../../../src/domains/xact/tasks.js';
import { same, withoutNulls } from '../compare.js';
import { fields, list, type Family } from '../family.js';

const REMEMBERED_MS = 24 * 3600 * 1000;

interface Step {
  commit: boolean;
  dead_lettered_indexes: number[];
  tasks: { key: string; task: Record<string, unknown> }[];
  skipped: number;
  duplicates: number;
  crashed?: true;
}

function bytesOf(record: Readonly<Record<string, unknown>>): Buffer {
  if ('json' in record) return Buffer.from(JSON.stringify(record['json']));
  return 'base64' in record ? Buffer.from(record['base64'] as string, 'base64') : Buffer.from(record['text'] as string);
}

/** One batch after the other: the facts are the pipeline's own, the memory of duplicates is as long as the ingester's and filled only by what was sent. */
function ingest(input: Readonly<Record<string, unknown>>): readonly Step[] {
  const base = Date.parse(input['base_time'] as string);
  const rememberedUntil = new Map<string, number>();
  return list(input['steps'])
    .map(fields)
    .map((batch) => {
      const now = base + (batch['at_seconds'] as number) * 1000;
      const step: Step = { commit: true, dead_lettered_indexes: [], tasks: [], skipped: 0, duplicates: 0 };
      const seen = new Set<string>();
      list(batch['records']).map(fields).forEach((record, index) => {
        try {
          const event = readEvent(bytesOf(record));
          if (seen.has(event.traceId) || (rememberedUntil.get(event.traceId) ?? 0) > now) {
            step.duplicates += 1;
            return;
          }
          const task = enrichmentTaskOf(event, new Date(now));
          seen.add(event.traceId);
          if (task === undefined) step.skipped += 1;
          else step.tasks.push({ key: task.trace_id, task: withoutNulls(task) });
        } catch (error) {
          expect(error).toBeInstanceOf(PenstockError);
          step.dead_lettered_indexes.push(index);
        }
      });
      if (batch['send_fails'] === true) return { ...step, commit: false, tasks: [], skipped: 0, duplicates: 0, crashed: true };
      for (const traceId of seen) rememberedUntil.set(traceId, now + REMEMBERED_MS);
      return step;
    });
}

export const family: Family = {
  name: 'xact-ingest',
  check(vector) {
    const steps = ingest(fields(vector.in));
    if (vector.want === undefined) {
      const recorded = list(fields(vector.out)['steps']).map(fields);
      expect(steps).toHaveLength(recorded.length);
      recorded.forEach((goal, index) => {
        const found: Readonly<Record<string, unknown>> = { ...steps[index]! };
        for (const [name, value] of Object.entries(goal)) same({ [name]: found[name] }, { [name]: value });
      });
      return;
    }
    const want = fields(vector.want);
    const keysOf = (step: Step | undefined) => step?.tasks.map((task) => task.key) ?? [];
    if ('step0_tasks_include' in want) expect(keysOf(steps[0])).toEqual(expect.arrayContaining([...list(want['step0_tasks_include'])]));
    expect(steps.flatMap(keysOf)).toEqual(expect.arrayContaining([...list(want['no_event_lost_over_all_steps'])]));
    if (want['crashed'] === false) expect(steps.some((step) => step.crashed === true)).toBe(false);
  },
};
