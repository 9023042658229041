import { merge } from 'rxjs';
import { describe, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { xactDownload } from '../../src/domains/xact/workers/xact-download.js';
import { xactRetry } from '../../src/domains/xact/workers/xact-retry.js';
import type { Download } from '../../src/http/downloader.js';
import { marbles, workerOnLog } from '../../src/testing/index.js';
import { downloadTask } from '../../test/workers/messages.js';

const PENDING = 'xact.downloads.pending';
const RETRIES = [`${PENDING}.retry.10ms`, `${PENDING}.retry.20ms`];
const values = { a: downloadTask('a'), b: downloadTask('b') };

/** The download worker, and the worker that owns its two retry topics; an attempt takes two milliseconds. */
const downloads = (end: (id: string, attempt: number) => void) =>
  workerOnLog(
    ({ source, sink, signal, consume, transport }) => {
      const options = { sink, signal, retryDelaysMs: [10, 20], retryJitter: 0 };
      const download: Download = async ({ id, attempt }) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        end(id, attempt);
        return { path: `cache/${id}`, bytes: 4, contentType: 'application/pdf', httpStatus: 200 };
      };
      void transport.ensureTopics(RETRIES.map((name) => ({ name, partitions: 1 })));
      return merge(xactDownload({ ...options, source, download }), xactRetry({ ...options, source: consume(RETRIES, 'xact-retry') }));
    },
    {
      topic: PENDING,
      group: 'xact-download',
      record: (task) => ({ key: (task as { trace_id: string }).trace_id, value: JSON.stringify(task) }),
    },
  );

const failing =
  (category: 'transient' | 'permanent', attempts = Number.POSITIVE_INFINITY) =>
  (id: string, attempt: number) => {
    if (id === 'a' && attempt < attempts) throw new PenstockError('PS4104', 'no', { category });
  };

describe('retry then dead letter', () => {
  it('C1: two delays are two retries, then the dead letter; its neighbour goes on', () =>
    marbles(
      downloads(failing('transient')),
      `
      in                                         (ab)
      taken                                      (ab)--------a---------------------a
      retried                                    --a-----------a
      publish xact.downloads.pending.retry.10ms  --a
      publish xact.downloads.pending.retry.20ms  --------------a
      publish xact.downloads.pending             ------------a---------------------a
      publish xact.downloads.results             --a-----------a---------------------a
      publish xact.downloads.cached              --b
      delivered                                  --b
      dead_lettered                              ------------------------------------a
      publish xact.dlq                           ------------------------------------a
      commit                                     --b-----------a---------------------a
      `,
      { values },
    ));

  it('a retry that goes well ends it', () =>
    marbles(
      downloads(failing('transient', 1)),
      `
      in                                         a
      retried                                    --a
      publish xact.downloads.pending.retry.10ms  --a
      publish xact.downloads.pending             ------------a
      publish xact.downloads.results             --a
      publish xact.downloads.cached              --------------a
      delivered                                  --------------a
      `,
      { values },
    ));

  it('what is permanent is not tried again', () =>
    marbles(
      downloads(failing('permanent')),
      `
      in                              a
      dead_lettered                   --a
      publish xact.downloads.results  --a
      publish xact.dlq                --a
      `,
      { values, reasons: { a: 'permanent' } },
    ));
});
