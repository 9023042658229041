import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PluginContext } from 'penstock/plugin';
import { compileConditions, type ConditionFault } from '../../src/plugin/conditions.js';
import { compileWhen, type WhenFault } from '../../src/plugin/when.js';
import { satisfies } from '../../src/plugin/version-range.js';

const context = new PluginContext<unknown>({
  domain: 'xact',
  stage: 'result_process',
  event_id: 'e-1',
  event_type: 'claim.created',
  message: {
    status: 'completed',
    size: 2_000,
    type: 'x',
    tags: ['a', 'b'],
    nested: { deep: [{ q: 1 }] },
    none: null,
    retry_count: 9,
    at: '2031-05-06',
  },
  data: { media_id: 'm', assignment_id: 'A-1' },
  headers: { 'x.y': '1' },
  retry_count: 3,
  error: new Error('boom'),
});

function decision(block: unknown): boolean {
  const decide = compileConditions(block, (fault) => {
    throw new Error(fault.message);
  });
  return decide!(context);
}
it('says how an operator is written to those who know another form', () => {
  const faults: ConditionFault[] = [];
  compileConditions({ all: [{ field: 'message.size', operator: 'gt', value: 1 }] }, (fault) => void faults.push(fault));
  compileConditions({ all: [{ field: 'message.size', operator: 'equls', value: 1 }] }, (fault) => void faults.push(fault));
  expect(faults).toMatchObject([
    {
      path: ['all', 0, 'operator'],
      message: expect.stringContaining('the operator is a key itself'),
      help: expect.stringContaining('gt: ... }'),
    },
    { help: expect.stringContaining('equals: ... }') },
  ]);
});

const holds = (item: object): boolean => decision({ all: [item] });

describe('conditions', () => {
  it.each([
    [{ field: 'message.size', gt: 1_999 }, true],
    [{ field: 'message.size', gt: 2_000 }, false],
    [{ field: 'message.size', gte: 2_000, lt: 2_001 }, true],
    [{ field: 'message.size', gte: 2_000, lt: 2_000 }, false],
    [{ field: 'message.size', lte: 2_000 }, true],
    [{ field: 'message.at', gte: '2031-01-01' }, true],
    [{ field: 'message.size', gt: '1' }, false],
    [{ field: 'message.none', lt: 5 }, false],
    [{ field: 'message.status', contains: 'plet' }, true],
    [{ field: 'message.tags', contains: 'b' }, true],
    [{ field: 'message.tags', contains: 'c' }, false],
    [{ field: 'message.status', starts_with: 'comp', ends_with: 'ed' }, true],
    [{ field: 'message.status', starts_with: 'plet' }, false],
    [{ field: 'message.status', matches: 'm.l' }, true],
    [{ field: 'message.status', matches: '^m.l' }, false],
    [{ field: 'message.none', exists: true }, false],
    [{ field: 'message.none', exists: false }, true],
    [{ field: 'message.nested.deep[0].q', equals: 1 }, true],
    [{ field: 'message.tags', equals: ['a', 'b'] }, true],
    [{ field: 'message.nested', equals: { deep: [{ q: 1 }] } }, true],
    [{ field: 'headers.x.y', equals: '1' }, true],
    [{ field: 'data.media_id', in: ['m', 'n'] }, true],
    [{ field: 'retry_count', equals: 3 }, true],
    [{ field: 'stage', equals: 'result_process' }, true],
    [{ field: 'error.message', equals: 'boom' }, true],
    [{ field: 'assignment_id', equals: 'A-1' }, true],
    [{ field: 'task_id', equals: null }, true],
  ])('%j is %s', (item, expected) => expect(holds(item)).toBe(expected));

  it('nest', () => {
    const yes = { field: 'event_id', equals: 'e-1' };
    const no = { field: 'event_id', equals: 'e-2' };
    expect(decision({ all: [yes, { any: [no, { not: no }] }] })).toBe(true);
    expect(decision({ not: { all: [yes, no] } })).toBe(true);
    expect(decision({ not: [no, yes] })).toBe(false);
    expect(decision({ not: yes })).toBe(false);
  });

  it.each<[unknown, Partial<ConditionFault>]>([
    [
      { all: [{ field: 'message.x', matches: '(?<=a)b' }] },
      { code: 'PS1402', path: ['all', 0, 'matches'], message: expect.stringContaining('look-around') as string },
    ],
    [{ all: [{ field: 'message.x', matches: 'a(' }] }, { code: 'PS1402' }],
    [{ all: [{ field: 'message.x', gt: true }] }, { path: ['all', 0, 'gt'] }],
    [{ all: [{ field: 'message.x', in: 'a' }] }, { message: 'in takes a list, found the text "a"' }],
    [{ all: [{ field: 'message.x', exists: 'yes' }] }, { path: ['all', 0, 'exists'] }],
    [{ all: [{ field: 'message.x', equals: 1, gt: 0 }] }, { message: expect.stringContaining('do not stand in one condition') as string }],
    [{ all: [{ field: 'message.x', equal: 1 }] }, { help: 'did you mean "equals"?' }],
    [{ all: [{ field: 'mesage.x', equals: 1 }] }, { help: 'paths start with message., data. or headers.' }],
    [{ any: [], or: [] }, { message: 'conditions have no key "or"' }],
    [{ not: {}, all: [] }, { message: expect.stringContaining('stands alone') as string }],
    [{ any: [{ not: { any: [{ field: 'x' }] } }] }, { path: ['any', 0, 'not', 'any', 0, 'field'] }],
  ])('%j is refused', (block, expected) => {
    const faults: ConditionFault[] = [];
    expect(compileConditions(block, (fault) => faults.push(fault))).toBeUndefined();
    expect(faults[0]).toMatchObject(expected);
  });

  it('take linear time over what would take others for ever', () => {
    const before = performance.now();
    expect(holds({ field: 'message.status', matches: '^(c+)+$' })).toBe(false);
    const long = new PluginContext({ domain: 'd', stage: 's', event_id: 'e', message: { text: `${'a'.repeat(30_000)}b` } });
    const decide = compileConditions({ all: [{ field: 'message.text', matches: '^(a+)+$' }] }, () => undefined)!;
    expect(decide(long)).toBe(false);
    expect(performance.now() - before).toBeLessThan(2_000);
  });
});

const stage = {
  stage: 'result_process',
  message: z.object({
    status: z.enum(['completed', 'failed']),
    size: z.int(),
    ratio: z.number().default(1),
    type: z.string(),
    http_status: z.int().nullable().default(null),
    tags: z.array(z.string()),
    nested: z.object({ deep: z.string() }),
  }),
};

const faultsOf = (source: string): WhenFault[] => {
  const faults: WhenFault[] = [];
  compileWhen(source, [stage], (fault) => faults.push(fault));
  return faults;
};
const value = (source: string, given: PluginContext<unknown> = context): boolean => compileWhen(source, [], () => undefined)!(given);

describe('when', () => {
  it.each([
    ['message.status == "completed" && retry_count > 2', true],
    ['status == "completed"', true],
    ['message.size >= 2000 && message.size < 2000.5', true],
    ['message.missing == "x"', false],
    ['message.missing == null', true],
    ['message.none > 5 || message.none <= 5', false],
    ['!(event_type == "claim.created")', false],
    ['event_type in ["a", "claim.created"]', true],
    ['"a" in message.tags', true],
    ['has(message.status) && !has(message.other)', true],
    ['size(message.tags) == 2', true],
    ['event_type.startsWith("claim") && event_type.endsWith("d") && event_type.contains(".")', true],
    ['message.status.matches("plet")', true],
    ['headers["x.y"] == "1"', true],
    ['message.tags.exists(t, t.matches("^b$"))', true],
    ['message.tags.all(t, t == "a")', false],
    ['message.size % 2.0 == 0.0 ? true : false', false],
    ['message.type == "x"', true],
    ['timestamp > timestamp("2001-01-01T00:00:00Z")', true],
    ['data.media_id == "m" && domain == "xact"', true],
  ])('%s is %s', (source, expected) => {
    let decided: boolean;
    try {
      decided = value(source);
    } catch {
      decided = false;
    }
    expect(decided).toBe(expected);
  });

  it('is checked against the fields of the stage, with the place inside the text', () => {
    expect(faultsOf('message.status == 3')).toMatchObject([
      {
        code: 'PS1401',
        severity: 'error',
        message: 'this condition compares string with int',
        help: 'message.status is one of "completed", "failed"',
      },
    ]);
    expect(faultsOf('size > 1 && message.statu == "x"')).toMatchObject([
      { offset: 20, message: 'result_process has no field "statu"', help: 'did you mean "status"?' },
    ]);
    expect(faultsOf('statis == "x"')).toMatchObject([{ message: 'result_process has no field "statis"', help: 'did you mean "status"?' }]);
    expect(faultsOf('status == "complete"')).toMatchObject([
      { code: 'PS2107', severity: 'warning', offset: 10, help: 'did you mean "completed"?' },
    ]);
    expect(faultsOf('status')).toMatchObject([{ message: 'this condition gives string, not true or false' }]);
    expect(faultsOf('status ==')).toMatchObject([{ code: 'PS1401' }]);
    expect(faultsOf('message.type.matches("(?=x)")')).toMatchObject([{ code: 'PS1402', offset: 21 }]);
    expect(faultsOf('http_status == 403 && ratio > 1.5 && nested.deep != "" && tags.size() > 0')).toEqual([]);
  });
});

describe('version ranges', () => {
  it.each([
    ['1.2.3', '^1.2', true],
    ['2.0.0', '^1.2', false],
    ['0.3.1', '^0.3.0', true],
    ['0.4.0', '^0.3.0', false],
    ['1.2.9', '~1.2.3', true],
    ['1.3.0', '~1.2.3', false],
    ['1.2.3', '1.2', true],
    ['1.2.3', '>=1 <2', true],
    ['1.2.3', '>1.2', false],
    ['1.2.3', '<=1.2', true],
    ['3.0.0', '1 || 3', true],
    ['1.0.0', 'any', true],
    ['1.0.0', 'newest', undefined],
  ])('%s in %s: %s', (version, range, expected) => expect(satisfies(version, range)).toBe(expected));
});
