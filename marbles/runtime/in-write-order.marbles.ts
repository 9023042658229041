import { merge, type OperatorFunction } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { type Delivery, perMessage } from '../../operators/index.js';
import { PenstockError } from '../../src/diagnostics/index.js';
import { type XactWorkerOptions } from '../../src/domains/xact/workers/shell.js';
import { xactDeltaEvents } from '../../src/domains/xact/workers/xact-delta-events.js';
import { xactResultProcessor } from '../../src/domains/xact/workers/xact-result-processor.js';
import { xactRetry } from '../../src/domains/xact/workers/xact-retry.js';
import type { Context } from '../../src/plugin/index.js';
import type { Passed } from '../../src/plugin/passed.js';
import { RetryOrder } from '../../src/runtime/retry-order.js';
import type { RowSink } from '../../src/runtime/table-rows.js';
import { tableWriter } from '../../src/runtime/table-writer.js';
import type { Row } from '../../src/storage/delta/index.js';
import { marbles, workerOnLog } from '../../src/testing/index.js';
import { MemoryTable } from '../../test/storage/memory-table.js';
import { downloadResult, fileUrl, rawEvent } from '../../test/workers/messages.js';

/** What becomes of a letter the first time that plugins see it. */
type FirstTime = 'fails' | 'is released';

/** Plugins that an item does not pass the first time; each item that they see has its letter said by `letterOf`. */
function once(
  letter: string,
  what: FirstTime,
  letterOf: (context: Context) => string,
): OperatorFunction<Delivery<Context>, Delivery<Passed>> {
  return perMessage<Context, Passed>(() => {
    let first = true;
    return (context, delivery) => {
      const met = first && letterOf(context) === letter;
      if (met) first = false;
      if (met && what === 'fails') throw new PenstockError('PS4101', 'not yet', { category: 'transient' });
      if (met) delivery.settle('released', 'not now');
      return delivery.with<Passed>({ context, actions: [], filtered: undefined, verdict: undefined });
    };
  });
}

interface Drawn {
  readonly order: 'key' | 'none';
  readonly plugins: OperatorFunction<Delivery<Context>, Delivery<Passed>>;
}

interface Kind {
  readonly group: 'xact-result-processor' | 'xact-delta-events';
  readonly topic: string;
  readonly tables: readonly string[];
  readonly mount: (
    shared: XactWorkerOptions & { readonly rows: RowSink },
    plugins: Drawn['plugins'],
  ) => ReturnType<typeof xactResultProcessor>;
}

/** Commits come three milliseconds after the first of their rows, what is retried after ten. The rows of all tables, as they were written. */
function writes({ group, topic, tables, mount }: Kind, { order, plugins }: Drawn) {
  const written: MemoryTable[] = [];
  const retryTopic = `${topic}.retry.10ms`;
  const subject = workerOnLog(
    ({ source, sink, signal, transport, consume }) => {
      const table = new MemoryTable();
      written.push(table);
      const rows = tableWriter({
        tables: Object.fromEntries(tables.map((name) => [name, table])),
        appId: (of, partition) => `${of}/${partition}`,
        flushMs: 3,
      });
      const marks = transport.marks('parked', { capacity: 100 });
      const ordered = order === 'key' ? { retryOrder: new RetryOrder({ group, marks, store: 'parked' }) } : {};
      const shared = { source, sink, signal, retryDelaysMs: [10], retryJitter: 0, ...ordered, rows };
      void transport.ensureTopics([{ name: retryTopic, partitions: 1 }]);
      return merge(mount(shared, plugins), xactRetry({ source: consume([retryTopic], 'xact-retry'), sink, signal, retryDelaysMs: [10] }));
    },
    { topic, group, log: { releaseMs: 5 } },
  );
  return { subject, rows: () => written.flatMap((table) => table.written) };
}

/** `a`, `c` and `d` are results of one file, in this order; `b` is another's. */
const result = (letter: string, media: string) => downloadResult(media, { attachment_url: fileUrl(letter) });
const results = { a: result('a', 'm'), c: result('c', 'm'), d: result('d', 'm'), b: result('b', 'n') };
const resultLetter = ({ message }: Context) => (message as { readonly attachment_url: string }).attachment_url.at(-1)!;
const RESULTS: Kind = {
  group: 'xact-result-processor',
  topic: 'xact.downloads.results',
  tables: ['xact_attachments'],
  mount: (shared, plugins) => xactResultProcessor({ ...shared, chains: { result_process: plugins } }),
};

/** Events with one trace id are one event, sent again with other content; the table keeps what is written first. */
const event = (letter: string, trace: string) => rawEvent(trace, { description: letter });
const events = { a: event('a', 't'), c: event('c', 't'), d: event('d', 't'), b: event('b', 'u') };
const eventLetter = ({ message }: Context) => String((message as { readonly data: { readonly description: string } }).data.description);
const EVENTS: Kind = {
  group: 'xact-delta-events',
  topic: 'xact.events.raw',
  tables: ['xact_events'],
  mount: (shared, plugins) => xactDeltaEvents({ ...shared, chains: { delta_write: plugins } }),
};

const ignore = ['taken'];

describe('in write order', () => {
  it('L3: results of a file go to the retry topic behind one that is retried, and are written in order when they come back', async () => {
    const { subject, rows } = writes(RESULTS, { order: 'key', plugins: once('a', 'fails', resultLetter) });
    await marbles(
      subject,
      `
      in                                         (acdb)
      retried                                    (acd)
      publish xact.downloads.results.retry.10ms  (acd)
      publish xact.downloads.results             ----------acd
      delivered                                  ---b---------(acd)
      `,
      { values: results, ignore },
    );
    expect(
      rows()
        .map((row) => String(row['attachment_url']).at(-1))
        .join(''),
    ).toBe('bacd');
  });
});

describe('the order of rows', () => {
  it('without it results are written before the one that is retried', async () => {
    const { subject, rows } = writes(RESULTS, { order: 'none', plugins: once('a', 'fails', resultLetter) });
    await marbles(
      subject,
      `
      in                                         (acdb)
      retried                                    a
      publish xact.downloads.results.retry.10ms  a
      publish xact.downloads.results             ----------a
      delivered                                  ---(cdb)-----a
      `,
      { values: results, ignore },
    );
    expect(urls(rows())).toBe('cdba');
  });

  it('L3: an event that came again with other content is not written before the one that is retried', async () => {
    const { subject, rows } = writes(EVENTS, { order: 'key', plugins: once('a', 'fails', eventLetter) });
    await marbles(
      subject,
      `
      in                                  (acdb)
      retried                             (acd)
      publish xact.events.raw.retry.10ms  (acd)
      publish xact.events.raw             ----------acd
      delivered                           ---b---------(acd)
      `,
      { values: events, ignore },
    );
    expect(descriptions(rows())).toBe('bacd');
  });

  it('without it the event that came again is written first', async () => {
    const { subject, rows } = writes(EVENTS, { order: 'none', plugins: once('a', 'fails', eventLetter) });
    await marbles(
      subject,
      `
      in                                  (acdb)
      retried                             a
      publish xact.events.raw.retry.10ms  a
      publish xact.events.raw             ----------a
      delivered                           ---(cdb)-----a
      `,
      { values: events, ignore },
    );
    expect(descriptions(rows())).toBe('cdba');
  });

  it.each(['key', 'none'] as const)('L3: one that is released comes again at once before those of its key (order: %s)', async (order) => {
    const { subject, rows } = writes(RESULTS, { order, plugins: once('a', 'is released', resultLetter) });
    await marbles(
      subject,
      `
      in         (acdb)
      released   a
      delivered  ------(acdb)
      `,
      { values: results, ignore },
    );
    expect(urls(rows())).toBe('acdb');
  });
});

const urls = (rows: readonly Row[]): string => rows.map((row) => String(row['attachment_url']).at(-1)).join('');
const descriptions = (rows: readonly Row[]): string => rows.map((row) => String(row['description'])).join('');
