import { describe, it } from 'vitest';
import { xactDownload } from '../../src/domains/xact/workers/xact-download.js';
import { marbles, workerOnLog } from '../../src/testing/index.js';
import { downloadTask } from '../../test/workers/messages.js';

/** Capitals are later tasks of the same file. */
const values = {
  a: downloadTask('a'),
  A: downloadTask('a', { retry_count: 1 }),
  b: downloadTask('b'),
  B: downloadTask('b', { retry_count: 1 }),
};
const MS: Readonly<Record<string, number>> = { a0: 5, a1: 2, b0: 1, b1: 2 };

const downloads = workerOnLog(
  ({ source, sink, signal }) =>
    xactDownload({
      source,
      sink,
      signal,
      download: async ({ id, attempt }) => {
        await new Promise((resolve) => setTimeout(resolve, MS[`${id}${attempt}`]));
        return { path: `cache/${id}`, bytes: 4, contentType: 'application/pdf', httpStatus: 200 };
      },
    }),
  { topic: 'xact.downloads.pending', group: 'xact-download' },
);

describe('order per key', () => {
  it('L3: tasks of one file follow one another, whatever each takes; other files pass', () =>
    marbles(
      downloads,
      `
      in         (aAbB)---|
      taken      (aAbB)
      delivered  -b-B-a-A
      `,
      { values, ignore: ['publish xact.downloads.cached'] },
    ));
});
