import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteInput } from '../../src/cli/byte-input.js';
import { byteOutput } from '../../src/cli/byte-output.js';
import { pipe, type PipeCounts } from '../../src/cli/pipe.js';
import {
  act,
  type Answer,
  amend,
  chain,
  defineOpenPlugin,
  fail,
  filter,
  log,
  messages,
  pass,
  PluginContext,
  publish,
} from '../../src/plugin/index.js';
import { temporary } from './temporary.js';

interface Message {
  readonly id: string;
  readonly do?: 'filter' | 'act' | 'amend' | 'fail' | 'both';
  readonly later?: number;
  readonly amended?: boolean;
}

const decide = (message: Message): Answer<Message> => {
  switch (message.do) {
    case 'filter':
      return filter('not wanted');
    case 'act':
      return act(publish('t', message, { key: 'k' }), log('info', 'seen'));
    case 'amend':
      return amend({ amended: true });
    case 'fail':
      return fail(new Error('broken'));
    case 'both':
      return filter('told and dropped', [publish('t', { only: message.id })]);
    default:
      return pass();
  }
};

/** Does what the message says, now or some turns later. */
const obedient = defineOpenPlugin({
  name: 'obedient',
  version: '1.0.0',
  summary: 'Does what the message says.',
  reads: messages<Message>(),
  effects: { actions: ['publish_to_topic', 'log'], filters: true },
  create: () => (context) => {
    const { message } = context;
    if (message.later === undefined) return decide(message);
    return new Promise<Answer<Message>>((resolve) => setTimeout(() => resolve(decide(message)), message.later));
  },
});

const folder = temporary();

async function piped(input: string | Buffer, { maxInFlight, signal }: { maxInFlight?: number; signal?: AbortSignal } = {}) {
  const path = (name: string) => join(folder, name);
  writeFileSync(path('in'), input);
  const files = [openSync(path('in'), 'r'), ...['out', 'actions', 'dead'].map((name) => openSync(path(name), 'w'))];
  const outputs = files.slice(1).map(byteOutput);
  const counts: PipeCounts = await pipe({
    chain: chain(obedient({}, { onError: 'dlq' })) as never,
    contextOf: (message) =>
      new PluginContext({ domain: 'xact', stage: 'result_process', message, event_id: (message as Message).id ?? '' }),
    input: byteInput(files[0]!),
    out: outputs[0]!,
    actions: outputs[1]!,
    deadLetters: outputs[2]!,
    ...(maxInFlight === undefined ? {} : { maxInFlight }),
    ...(signal === undefined ? {} : { signal }),
  });
  for (const output of outputs) await output.flush();
  for (const file of files) closeSync(file);
  const lines = (name: string) =>
    readFileSync(path(name), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { counts, out: readFileSync(path('out')), actions: lines('actions'), dead: lines('dead') };
}

const doors = { delivered: 0, filtered: 0, retried: 0, dead_lettered: 0, released: 0 };

describe('a chain between files', () => {
  it('lets out what passes, byte for byte, and tells actions without doing them', async () => {
    const odd = '  {"id" : "ä", "n": 1e400, "big": 12345678901234567890}\r\n';
    const input = `{"id":"a"}\n${odd}{"id":"b","do":"filter"}\n\n{"id":"c","do":"act"}\n{"id":"d","do":"both"}\n{"id":"e","do":"amend"}\n{"id":"f"}`;
    const { counts, out, actions, dead } = await piped(input);
    expect(out.toString()).toBe(`{"id":"a"}\n${odd}{"id":"c","do":"act"}\n{"id":"e","do":"amend","amended":true}\n{"id":"f"}`);
    expect(actions).toEqual([
      {
        line: 5,
        event_id: 'c',
        plugin: 'obedient',
        type: 'publish_to_topic',
        params: { topic: 't', payload: { id: 'c', do: 'act' }, key: 'k', headers: {} },
      },
      { line: 5, event_id: 'c', plugin: 'obedient', type: 'log', params: expect.objectContaining({ message: 'seen' }) },
      { line: 6, event_id: 'd', plugin: 'obedient', type: 'publish_to_topic', params: expect.objectContaining({ payload: { only: 'd' } }) },
    ]);
    expect(dead).toEqual([]);
    expect(counts).toEqual({ entered: 7, left: { ...doors, delivered: 5, filtered: 2 } });
  });

  it('dead-letters a bad line with its bytes, and goes on', async () => {
    const { counts, out, dead } = await piped(
      Buffer.concat([
        Buffer.from('{"id":"a"}\nnope\n[1]\n'),
        Buffer.from([0xff, 0x0a]),
        Buffer.from('{"id":"b","do":"fail"}\n{"id":"c"}\n'),
      ]),
    );
    expect(out.toString()).toBe('{"id":"a"}\n{"id":"c"}\n');
    expect(dead).toEqual([
      { dead_letter: { line: 2, reason: 'unreadable', error_code: 'PS4101', error: 'the line is not JSON', text: 'nope' } },
      { dead_letter: { line: 3, reason: 'unreadable', error_code: 'PS4101', error: 'the line is JSON but not an object', text: '[1]' } },
      { dead_letter: { line: 4, reason: 'unreadable', error_code: 'PS4101', error: 'the line is not UTF-8', base64: '/wo=' } },
      { dead_letter: expect.objectContaining({ line: 5, reason: 'plugin_failed', text: '{"id":"b","do":"fail"}' }) },
    ]);
    expect(counts).toEqual({ entered: 6, left: { ...doors, delivered: 2, dead_lettered: 4 } });
  });

  it('keeps the order of the lines, whichever plugin answers when, and holds a bounded number', async () => {
    const message = fc.record(
      {
        id: fc.string({ unit: 'grapheme', maxLength: 5 }),
        do: fc.constantFrom('filter', 'act', 'fail', 'both'),
        later: fc.nat({ max: 3 }),
      },
      { requiredKeys: ['id'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), async (list, maxInFlight) => {
        const lines = list.map((item) => `${JSON.stringify(item)}\n`);
        const { counts, out, actions } = await piped(lines.join(''), { maxInFlight });
        const passing = (item: (typeof list)[number]) => item.do === undefined || item.do === 'act';
        expect(out.toString()).toBe(lines.filter((_, index) => passing(list[index]!)).join(''));
        expect(actions.map(({ line }) => line)).toEqual(
          list.flatMap((item, index) => (item.do === 'act' ? [index + 1, index + 1] : item.do === 'both' ? [index + 1] : [])),
        );
        expect(counts.entered).toBe(list.length);
        expect(Object.values(counts.left).reduce((sum, count) => sum + count, 0)).toBe(list.length);
      }),
      { numRuns: 60 },
    );
  });

  it('stops reading when it is asked to', async () => {
    const { counts, out } = await piped('{"id":"a"}\n', { signal: AbortSignal.abort() });
    expect(counts.entered).toBe(0);
    expect(out).toHaveLength(0);
  });
});
