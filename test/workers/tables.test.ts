import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { XACT_ATTACHMENTS, XACT_ATTACHMENTS_FAILED, XACT_EVENTS } from '../../src/domains/xact/tables.js';
import { type TableWriter, tableWriter } from '../../src/runtime/table-writer.js';
import { openTable, parquetEncoder, type Table, type TableSchema } from '../../src/storage/delta/index.js';
import { deltaEvents, resultProcessor, retrier, rowLists } from './builders.js';
import { downloadResult, rawEvent } from './messages.js';
import { DELAYS, type WorkerBench, workerBench } from './worker-bench.js';

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const resource of opened.splice(0).toReversed()) await resource.close();
});

async function open(bench: WorkerBench, schemas: readonly TableSchema[]): Promise<Record<string, Table>> {
  const encoder = parquetEncoder();
  opened.push(encoder);
  const tables: Record<string, Table> = {};
  for (const schema of schemas) {
    tables[schema.name] = await openTable({ directory: join(bench.directory, schema.name), schema, encoder });
    opened.push(tables[schema.name]!);
  }
  return tables;
}

function writerOf(tables: Readonly<Record<string, Table>>): TableWriter {
  return tableWriter({ tables, appId: (topic, partition) => `test/${topic}/${partition}`, flushMs: 5, maxRows: 100 });
}

async function column(table: Table, name: string): Promise<readonly unknown[]> {
  const values: unknown[] = [];
  for await (const row of table.rows()) values.push(row[name]);
  return values;
}

describe('the workers that write tables', () => {
  it('A25, E4: a bad event is dead-lettered and its neighbours are rows, in one Delta table, each once', async () => {
    const bench = await workerBench();
    const tables = await open(bench, [XACT_EVENTS]);
    const worker = deltaEvents(bench, writerOf(tables));
    const fraction = { ...rawEvent('t2'), utcDateTime: '2031-03-04T05:06:07.123456' };
    await bench.send('xact.events', rawEvent('t1'), '{"type":', fraction, rawEvent('t1'), rawEvent('t3'));
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 4, dead_lettered: 1 });
    expect((await column(tables['xact_events']!, 'trace_id')).toSorted()).toEqual(['t1', 't2', 't3']);
    expect(await bench.deadLetters()).toMatchObject([{ worker: 'xact-delta-events', original_offset: 1 }]);
    expect(await tables['xact_events']!.txn('test/xact.events.raw/0')).toBe(5);
  });

  it('A4: completed and failed_permanent go to their tables, failed to none; one commit of offsets covers both', async () => {
    const bench = await workerBench();
    const tables = await open(bench, [XACT_ATTACHMENTS, XACT_ATTACHMENTS_FAILED]);
    const worker = resultProcessor(bench, writerOf(tables));
    await bench.send(
      'xact.downloads_results',
      downloadResult('m1'),
      downloadResult('m2', { status: 'failed', http_status: 503 }),
      downloadResult('m3', { status: 'failed_permanent', http_status: 404, error_message: 'gone' }),
      downloadResult('m1'),
    );
    await bench.idle();
    expect(worker.doors()).toEqual({ delivered: 3, filtered: 1 });
    expect(await column(tables['xact_attachments']!, 'media_id')).toEqual(['m1']);
    expect(await column(tables['xact_attachments_failed']!, 'media_id')).toEqual(['m3']);
    expect(await bench.transport.committed('xact-result-processor', 'xact.downloads.results')).toEqual([{ partition: 0, offset: 4 }]);
  });

  it('C17: one that failed for good and is stored after a replay is in both tables, each row once', async () => {
    const bench = await workerBench();
    const tables = await open(bench, [XACT_ATTACHMENTS, XACT_ATTACHMENTS_FAILED]);
    resultProcessor(bench, writerOf(tables));
    const failed = downloadResult('m1', { status: 'failed_permanent', error_message: 'gone' });
    await bench.send('xact.downloads_results', failed, { ...failed, error_message: 'gone again' }, downloadResult('m1'));
    await bench.idle();
    expect(await column(tables['xact_attachments']!, 'media_id')).toEqual(['m1']);
    expect(await column(tables['xact_attachments_failed']!, 'error_message')).toEqual(['gone again']);
  });

  it('A1: nothing is committed while its row is not durable', async () => {
    const bench = await workerBench();
    let write: (() => void) | undefined;
    const rows = rowLists(
      () =>
        new Promise<void>((resolve) => {
          write = resolve;
        }),
    );
    deltaEvents(bench, rows);
    await bench.send('xact.events', rawEvent('t1'));
    await expect.poll(() => write).toBeDefined();
    expect(await bench.transport.backlog('xact-delta-events', ['xact.events.raw'])).toBe(1);
    write!();
    await bench.idle();
    expect(await bench.transport.committed('xact-delta-events', 'xact.events.raw')).toEqual([{ partition: 0, offset: 1 }]);
  });

  it('A5, C8: a row that cannot be written is no success: retried while that makes sense, dead-lettered when not', async () => {
    const bench = await workerBench();
    let busy = 1;
    const rows = rowLists((_table, row) => {
      if (row['trace_id'] === 't2') throw new PenstockError('PS4109', 'column x does not fit', { category: 'permanent' });
      if (row['trace_id'] === 't3' && busy-- > 0) throw new PenstockError('PS4108', 'the table is busy', { category: 'transient' });
    });
    const worker = deltaEvents(bench, rows);
    retrier(bench);
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t2'), rawEvent('t3'));
    await expect.poll(() => worker.doors()).toEqual({ delivered: 2, dead_lettered: 1, retried: 1 });
    expect(rows.of['xact_events']?.map((row) => row['trace_id'])).toEqual(['t1', 't3']);
    expect(await bench.deadLetters()).toMatchObject([{ error_code: 'PS4109', trace_id: 't2', worker: 'xact-delta-events' }]);
  });

  it('A8: what failed comes back to the worker that can handle it, under its own schema', async () => {
    const bench = await workerBench();
    let busy = 1;
    const rows = rowLists(() => {
      if (busy-- > 0) throw new PenstockError('PS4108', 'the table is busy', { category: 'transient' });
    });
    const worker = resultProcessor(bench, rows);
    retrier(bench);
    await bench.send('xact.downloads_results', downloadResult('m1', { status: 'failed_permanent' }));
    await expect.poll(() => worker.doors()).toEqual({ retried: 1, delivered: 1 });
    const [record] = await bench.records(`xact.downloads.results.retry.${DELAYS[0]}ms`);
    expect(JSON.parse(record!.value!.toString())).toEqual(downloadResult('m1', { status: 'failed_permanent' }));
    expect(rows.of['xact_attachments_failed']).toHaveLength(1);
  });

  it.each(['no json', '{"status":"success"}'])('A13, E1: a result that cannot be read (%s) is dead-lettered', async (text) => {
    const bench = await workerBench();
    const worker = resultProcessor(bench, rowLists());
    await bench.send('xact.downloads_results', text, downloadResult('m2'));
    await bench.idle();
    expect(worker.doors()).toEqual({ dead_lettered: 1, delivered: 1 });
    const [letter] = await bench.deadLetters();
    expect(letter).toMatchObject({ reason: 'unreadable', worker: 'xact-result-processor', original_topic: 'xact.downloads.results' });
    expect(Buffer.from(letter!.original_value!, 'base64').toString()).toBe(text);
  });

  it('B8: what waits for a full batch is written when the worker drains', async () => {
    const bench = await workerBench();
    const tables = await open(bench, [XACT_EVENTS]);
    const writer = tableWriter({ tables, appId: (topic, partition) => `test/${topic}/${partition}`, flushMs: 60_000, maxRows: 100 });
    const worker = deltaEvents(bench, writer);
    await bench.send('xact.events', rawEvent('t1'), rawEvent('t2'));
    await expect.poll(() => worker.consumer.state().inFlight).toBe(2);
    writer.drain();
    await worker.drain();
    expect(worker.doors()).toEqual({ delivered: 2 });
    expect(await tables['xact_events']!.count()).toBe(2);
  });
});
