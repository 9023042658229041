import { describe, it } from 'vitest';
import { xactResultProcessor } from '../../src/domains/xact/workers/xact-result-processor.js';
import { chain, definePlugin, type PluginOptions } from '../../src/plugin/index.js';
import { eachRow } from '../../src/runtime/table-rows.js';
import { marbles, workerOnLog } from '../../src/testing/index.js';
import { downloadResult } from '../../test/workers/messages.js';

const values = { a: downloadResult('a'), h: downloadResult('h'), n: downloadResult('n') };

/** Never answers about `h`; about the rest after a millisecond. */
const asking = definePlugin({
  name: 'asking',
  version: '1.0.0',
  summary: 'Asks somebody about each result.',
  domains: ['xact'],
  stages: ['result_process'],
  create:
    () =>
    ({ message }) =>
      new Promise<void>((resolve) => {
        if (message.media_id !== 'h') setTimeout(resolve, 1);
      }),
});

/** Results are kept when the plugin has answered, which has eight milliseconds for it. */
const results = (options: PluginOptions) =>
  workerOnLog(
    ({ source, sink, signal, perform }) =>
      xactResultProcessor({
        source,
        sink,
        signal,
        perform,
        rows: eachRow(() => undefined),
        chains: { result_process: chain(asking({}, { timeoutMs: 8, ...options })) },
      }),
    {
      topic: 'xact.downloads.results',
      group: 'xact-result-processor',
      record: (result) => ({ key: (result as { trace_id: string }).trace_id, value: JSON.stringify(result) }),
    },
  );

describe('timeout', () => {
  it('B1: a plugin that does not answer in time is passed by; others do not wait for it', () =>
    marbles(
      results({}),
      `
      in         (han)-------|
      delivered  -(an)---h
      commit     --------n
      `,
      { values, tolerance: { delivered: 1, commit: 1 } },
    ));

  it('B1: or the message goes where the entry says', () =>
    marbles(
      results({ onError: 'dlq' }),
      `
      in                (han)-------|
      delivered         -(an)
      dead_lettered     --------h
      publish xact.dlq  --------h
      `,
      { values, tolerance: 1, reasons: { h: 'permanent' } },
    ));
});
