import { merge } from 'rxjs';
import { describe, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { xactDownload } from '../../src/domains/xact/workers/xact-download.js';
import { xactRetry } from '../../src/domains/xact/workers/xact-retry.js';
import { marbles, workerOnLog } from '../../src/testing/index.js';
import { downloadTask } from '../../test/workers/messages.js';

const PENDING = 'xact.downloads.pending';
const RETRY = `${PENDING}.retry.5m`;
const values = { a: downloadTask('a'), b: downloadTask('b'), f: downloadTask('f') };

/** A download takes four milliseconds; that of `f` fails at once and is retried in five minutes. */
const downloads = workerOnLog(
  ({ source, sink, signal, consume, transport }) => {
    const options = { sink, signal, retryJitter: 0 };
    void transport.ensureTopics([{ name: RETRY, partitions: 1 }]);
    return merge(
      xactDownload({
        ...options,
        source,
        download: async ({ id }) => {
          if (id === 'f') throw new PenstockError('PS4104', 'busy', { category: 'transient' });
          await new Promise((resolve) => setTimeout(resolve, 4));
          return { path: `cache/${id}`, bytes: 4, contentType: 'application/pdf', httpStatus: 200 };
        },
      }),
      xactRetry({ ...options, source: consume([RETRY], 'xact-retry') }),
    );
  },
  {
    topic: PENDING,
    group: 'xact-download',
    record: (task) => ({ key: (task as { trace_id: string }).trace_id, value: JSON.stringify(task) }),
  },
);

describe('drain', () => {
  it('L8: takes nothing more, finishes what is in flight, commits it, and ends', () =>
    marbles(
      downloads,
      `
      in                             ab---b
      drain                          --!
      taken                          ab
      delivered                      ----ab
      publish xact.downloads.cached  ----ab
      commit                         ----ab
      `,
      { values, inFlight: 'b' },
    ));

  it('L8: does not wait for what is held until it is due: that stays in the log', () =>
    marbles(
      downloads,
      `
      in                              f----
      drain                           ---!
      retried                         f
      publish xact.downloads.results  f
      publish ${RETRY}  f
      `,
      { values },
    ));

  it('one that is stopped gives back what is in flight', () =>
    marbles(
      downloads,
      `
      in        ab---
      sub       ^--!
      released  ---(ab)
      `,
      { values },
    ));
});
