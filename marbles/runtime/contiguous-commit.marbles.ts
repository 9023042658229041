import { describe, it } from 'vitest';
import { callEach } from '../../operators/index.js';
import { worker } from '../../src/runtime/worker.js';
import { marbles, workerOnLog, type WorkerOnLogOptions } from '../../src/testing/index.js';
import type { LogRecord } from '../../src/transport/transport.js';

const MS: Readonly<Record<string, number>> = { a: 5, b: 2, c: 3, d: 1 };

/** Each letter takes its time; `r` is given back once. */
const slow = (options: WorkerOnLogOptions = {}) => {
  let given = false;
  return workerOnLog(
    ({ source, signal }) =>
      worker<LogRecord>({
        name: 'slow',
        source,
        signal,
        steps: callEach(
          async ({ key }, delivery) => {
            await new Promise((resolve) => setTimeout(resolve, MS[String(key)] ?? 1));
            if (String(key) !== 'r' || given) return;
            given = true;
            delivery.settle('released', 'not now');
          },
          { order: 'none', concurrency: 10 },
        ),
        failures: (failures$) => failures$,
      }),
    options,
  );
};

describe('contiguous commit with out-of-order completion', () => {
  it('A2: what is committed has left whole: one that is slow holds those behind it', () =>
    marbles(
      slow(),
      `
      in         (abcd)---|
      delivered  -dbc-a
      commit     -----d
      `,
    ));

  it('A2: each that left in order is committed when it left', () =>
    marbles(
      slow(),
      `
      in         d-b--c---|
      delivered  -d--b---c
      commit     -d--b---c
      `,
    ));

  it('A3: what was given back holds the commit until it comes again and leaves', () =>
    marbles(
      slow({ log: { releaseMs: 6 } }),
      `
      in         (rb)--------|
      taken      (rb)---r
      released   -r
      delivered  --b-----r
      commit     --------b
      `,
    ));

  it('partitions do not wait for each other', () =>
    marbles(
      slow({ partitions: 2, record: (_, letter) => ({ key: letter, value: letter, partition: letter === 'a' ? 0 : 1 }) }),
      `
      in         (abc)------|
      delivered  --bc-a
      commit     --bc-a
      `,
    ));
});
