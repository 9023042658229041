import { describe, it } from 'vitest';
import { callEach } from '../../operators/index.js';
import { worker } from '../../src/runtime/worker.js';
import { marbles, workerOnLog, type WorkerOnLogOptions } from '../../src/testing/index.js';
import type { LogRecord } from '../../src/transport/transport.js';

const slow = (options: WorkerOnLogOptions) =>
  workerOnLog(
    ({ source, signal }) =>
      worker<LogRecord>({
        name: 'slow',
        source,
        signal,
        steps: callEach(() => new Promise((resolve) => setTimeout(resolve, 6)), { order: 'none', concurrency: 10 }),
        failures: (failures$) => failures$,
      }),
    options,
  );

describe('backpressure pausing the source', () => {
  it('no more are handed out than there are credits; the rest waits in the log', () =>
    marbles(
      slow({ credits: { count: 2, bytes: 1000 } }),
      `
      in         (abcd)-------|
      taken      (ab)--(cd)
      delivered  ------(ab)--(cd)
      `,
    ));

  it('large records use up the credits of bytes', () =>
    marbles(
      slow({ credits: { count: 10, bytes: 6 }, record: (_, letter) => ({ key: letter, value: 'four' }) }),
      `
      in         (abc)--------------|
      taken      a-----b-----c
      delivered  ------a-----b-----c
      `,
    ));
});
