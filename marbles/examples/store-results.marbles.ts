import { describe, expect, it } from 'vitest';
import type { Observable } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { marbles } from '../../src/testing/index.js';
import { type Result, type Service, storeResults } from '../../examples/worker/store-results.js';
import { downloadResult, TYPE } from '../../test/workers/messages.js';

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const result = (mediaId: string, fields: Parameters<typeof downloadResult>[1] = {}, type = TYPE) => ({
  ...downloadResult(mediaId, fields),
  event_type: type,
});

const values = {
  a: result('a'),
  b: result('b'),
  p: result('p', { status: 'failed_permanent', retry_count: 2, error_message: 'gone' }),
  t: result('t', {}, 'verisk.test.documentsReceived'),
  u: { event_type: TYPE, media_id: 'u' },
};

/** A service whose rows take three milliseconds, and what reached it. */
function service(saves: (mediaId: unknown) => Promise<void> = () => later(3)) {
  const told: string[] = [];
  const given: Service = {
    save: async (table, row) => {
      await saves(row['media_id']);
      told.push(`${table} ${String(row['media_id'])}`);
    },
    alert: ({ params }) => {
      told.push(`${params.topic} ${String(params.key)}`);
      return Promise.resolve();
    },
    keep: (record) => {
      told.push(record.topic);
      return Promise.resolve();
    },
  };
  return { given, told };
}

const mount =
  (given: Service, signal?: AbortSignal) =>
  (results$: Observable<Delivery<Result>>): Observable<unknown> =>
    storeResults(results$, given, signal);

const ignore = { values, ignore: ['out'] };

describe('a worker stage in a service of one’s own', () => {
  it('settles each result when its row is saved, and filters tests', async () => {
    const { given, told } = service();
    await marbles(mount(given) as never, { in: 'a-t-b----|', delivered: '---a---b', filtered: '--t' }, ignore);
    expect(told).toEqual(['xact_attachments a', 'xact_attachments b']);
  });

  it('alerts about a lasting failure before its row is saved', async () => {
    const { given, told } = service();
    await marbles(mount(given) as never, { in: 'p----|', delivered: '---p' }, ignore);
    expect(told).toEqual(['xact.alerts.failures trace-p', 'xact_attachments_failed p']);
  });

  it('hands a result that cannot be saved to the service for a retry, one that cannot be read as a dead letter', async () => {
    const { given, told } = service((mediaId) => (mediaId === 'a' ? Promise.reject(new Error('no')) : later(3)));
    await marbles(mount(given) as never, { in: 'aub-----|', retried: 'a', dead_lettered: '-u', delivered: '-----b' }, ignore);
    expect(told).toEqual(['results.retry.5m', 'xact.dlq', 'xact_attachments b']);
  });

  it('finishes what is in flight when the signal says so, and takes nothing more', async () => {
    const { given, told } = service();
    const draining = new AbortController();
    const drained = (results$: Observable<Delivery<Result>>): Observable<unknown> => {
      setTimeout(() => draining.abort(), 2);
      return storeResults(results$, given, draining.signal);
    };
    await marbles(drained as never, { in: 'a----b', delivered: '---a' }, ignore);
    expect(told).toEqual(['xact_attachments a']);
  });

  it('gives back what is in flight when it is left', async () => {
    await marbles(mount(service().given) as never, { in: 'ab-----|', sub: '^-!', released: '--(ab)' }, ignore);
  });
});
