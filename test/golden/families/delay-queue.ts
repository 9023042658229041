import { expect } from 'vitest';
import { DelayQueue } from '../../../src/runtime/delay-queue.js';
import { same } from '../compare.js';
import { fields, list, wanted, type Family } from '../family.js';

const at = (text: unknown): number => Date.parse(text as string);

function play(ops: readonly unknown[]): unknown {
  const queue = new DelayQueue<string>();
  const pops: unknown[] = [];
  for (const op of ops.map(fields)) {
    if (op['op'] === 'push') queue.push(op['id'] as string, at(op['due']));
    else {
      const ids = queue.popDue(at(op['now']));
      pops.push({ ids, left: queue.size, next_due: queue.nextDue === undefined ? null : new Date(queue.nextDue) });
    }
  }
  return { pops };
}

export const family: Family = {
  name: 'delay-queue',
  check(vector) {
    const input = fields(vector.in);
    const goal = fields(wanted(vector));
    if (!('restore_at' in input)) {
      same(play(list(input['ops'])), goal);
      return;
    }
    // Nothing of a stored queue is thrown away: what is overdue is due at once.
    const queue = new DelayQueue<string>();
    for (const held of list(input['held']).map(fields)) queue.push(held['id'] as string, at(held['due']));
    expect(queue.size).toBe(list(goal['restored_ids']).length);
    const due = queue.popDue(at(input['restore_at']));
    if ('due_at_once_in_order' in goal) expect(due).toEqual(goal['due_at_once_in_order']);
    expect([...due, ...queue.drain()].toSorted()).toEqual(list(goal['restored_ids']).map(String).toSorted());
  },
};
