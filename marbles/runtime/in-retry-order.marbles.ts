import { merge } from 'rxjs';
import { describe, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { xactActions } from '../../src/domains/xact/workers/xact-actions.js';
import { xactDownload } from '../../src/domains/xact/workers/xact-download.js';
import { xactRetry } from '../../src/domains/xact/workers/xact-retry.js';
import type { OutboxRecord } from '../../src/runtime/plugin-actions.js';
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
      publish xact.downloads.pending             -----------acd
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

/** The download of `a` waits for a circuit until the worker drains; the others are done at once. */
const interrupted = workerOnLog(
  ({ source, sink, signal, transport }) =>
    xactDownload({
      source,
      sink,
      signal,
      retryOrder: new RetryOrder({ group: GROUP, marks: transport.marks('parked', { capacity: 100 }), store: 'parked' }),
      download: async ({ id, url }) => {
        if (url.endsWith('/a')) {
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          throw new PenstockError('PS4103', 'the circuit is open', { category: 'circuit_open' });
        }
        return { path: `cache/${id}`, bytes: 4, contentType: 'application/pdf', httpStatus: 200 };
      },
    }),
  { topic: TOPIC, group: GROUP },
);

describe('in retry order, on drain', () => {
  it('L3: tasks of a file that wait behind one that is given back are given back too', () =>
    marbles(
      interrupted,
      `
      in         (acdb)
      drain      -----!
      released   -----(dca)
      delivered  b
      `,
      { ...draw, inFlight: '' },
    ));
});

const OUTBOX = 'xact.actions.outbox';
const HOOK = 'https://hooks.example.com/n';
const action = (letter: string, plugin: string, event: string): OutboxRecord => ({
  id: letter,
  plugin,
  action: { type: 'http_webhook', params: { url: HOOK, method: 'POST', body: { call: letter } } },
  context: {
    domain: 'xact',
    stage: 'result_process',
    event_id: event,
    event_type: null,
    project_id: null,
    retry_count: 0,
    timestamp: '1970-01-01T00:00:00.000Z',
  },
});
/** `a`, `c` and `d` are asked for by one plugin for one event; `b` by another plugin for the same, `e` by the same plugin for another. */
const actionValues = {
  a: action('a', 'notifier', 'v'),
  c: action('c', 'notifier', 'v'),
  d: action('d', 'notifier', 'v'),
  b: action('b', 'alerter', 'v'),
  e: action('e', 'notifier', 'w'),
};

/** Each call takes a millisecond, the first of all is answered 503. What is retried comes back after ten. */
const actions = (order: 'key' | 'none', waitMs: number) =>
  workerOnLog(
    ({ source, sink, signal, transport, consume, performers }) => {
      const marks = transport.marks('parked', { capacity: 100 });
      const ordered = order === 'none' ? {} : { retryOrder: new RetryOrder({ group: 'xact-actions', marks, store: 'parked', waitMs }) };
      const retryDelaysMs = [10];
      void transport.ensureTopics([{ name: `${OUTBOX}.retry.10ms`, partitions: 1 }]);
      return merge(
        xactActions({ source, sink, signal, performers, retryDelaysMs, retryJitter: 0, ...ordered }),
        xactRetry({ source: consume([`${OUTBOX}.retry.10ms`], 'xact-retry'), sink, signal, retryDelaysMs }),
      );
    },
    { topic: OUTBOX, group: 'xact-actions' },
  );

const actionDraw = {
  values: actionValues,
  ignore: ['taken', `webhook POST ${HOOK}`],
  mocks: { [`webhook POST ${HOOK}`]: ['1ms 503', '1ms 200'] },
};

describe('the order of actions across retries', () => {
  it('L3: actions of a plugin for an event wait in place until the retried one before them is done; those of others pass', () =>
    marbles(
      actions('key', 30),
      `
      in                                      (acdbe)
      retried                                 -a
      publish ${OUTBOX}.retry.10ms  -a
      publish ${OUTBOX}  -----------a
      delivered                               -(be)-------acd
      `,
      actionDraw,
    ));

  it('L3: those that would wait too long go to the retry topic behind it', () =>
    marbles(
      actions('key', 3),
      `
      in                                      (acdbe)
      retried                                 -(acd)
      publish ${OUTBOX}.retry.10ms  -(acd)
      publish ${OUTBOX}  -----------acd
      delivered                               -(be)-------acd
      `,
      actionDraw,
    ));

  it('without it they overtake', () =>
    marbles(
      actions('none', 3),
      `
      in                                      (acdbe)
      retried                                 -a
      publish ${OUTBOX}.retry.10ms  -a
      publish ${OUTBOX}  -----------a
      delivered                               -(cdbe)-----a
      `,
      actionDraw,
    ));
});
