import { merge } from 'rxjs';
import { describe, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { xactDownload } from '../../src/domains/xact/workers/xact-download.js';
import { xactRetry } from '../../src/domains/xact/workers/xact-retry.js';
import { RetryOrder } from '../../src/runtime/retry-order.js';
import { marbles, workerOnLog } from '../../src/testing/index.js';
import { downloadTask } from '../../test/workers/messages.js';

const TOPIC = 'xact.downloads.pending';
const GROUP = 'xact-download';
const RETRY_TOPIC = `${TOPIC}.retry.10ms`;

/** `a`, `c` and `d` are tasks of one file, in this order; `b` is another's. */
const task = (letter: string, media: string) => downloadTask(media, { attachment_url: `https://files.example.com/${letter}` });
const values = { a: task('a', 'm'), c: task('c', 'm'), d: task('d', 'm'), b: task('b', 'n') };

/** Each download takes a millisecond; `a` fails at its first attempt. What is retried comes back after ten. */
const downloads = (waitMs: number | undefined) =>
  workerOnLog(
    ({ source, sink, signal, transport, consume }) => {
      const marks = transport.marks('parked', { capacity: 100 });
      const order = waitMs === undefined ? {} : { retryOrder: new RetryOrder({ group: GROUP, marks, store: 'parked', waitMs }) };
      const retryDelaysMs = [10];
      void transport.ensureTopics([{ name: RETRY_TOPIC, partitions: 1 }]);
      return merge(
        xactDownload({
          source,
          sink,
          signal,
          ...order,
          retryDelaysMs,
          retryJitter: 0,
          download: async ({ id, url, attempt }) => {
            await new Promise((resolve) => setTimeout(resolve, 1));
            if (url.endsWith('/a') && attempt === 0) throw new PenstockError('PS4101', 'not yet', { category: 'transient' });
            return { path: `cache/${id}`, bytes: 4, contentType: 'application/pdf', httpStatus: 200 };
          },
        }),
        xactRetry({ source: consume([RETRY_TOPIC], 'xact-retry'), sink, signal, retryDelaysMs }),
      );
    },
    { topic: TOPIC, group: GROUP },
  );

const draw = { values, ignore: ['publish xact.downloads.cached', 'publish xact.downloads.results', 'taken'] };

describe('in retry order', () => {
  it('L3: tasks of a file wait in place until the retried one before them has left; other files pass', () =>
    marbles(
      downloads(30),
      `
      in                                         (acdb)
      retried                                    -a
      publish xact.downloads.pending.retry.10ms  -a
      publish xact.downloads.pending             -----------a
      delivered                                  -b----------acd
      `,
      draw,
    ));

  it('L3: those that would wait too long go to the retry topic behind it, and come back in order', () =>
    marbles(
      downloads(3),
      `
      in                                         (acdb)
      retried                                    -(acd)
      publish xact.downloads.pending.retry.10ms  -(acd)
      publish xact.downloads.pending             -----------(acd)
      delivered                                  -b----------acd
      `,
      draw,
    ));

  it('without it they overtake', () =>
    marbles(
      downloads(undefined),
      `
      in                                         (acdb)
      retried                                    -a
      publish xact.downloads.pending.retry.10ms  -a
      publish xact.downloads.pending             -----------a
      delivered                                  -bcd--------a
      `,
      draw,
    ));
});
