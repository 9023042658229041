import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { INGESTED_MARKS, xactEventIngester, type XactEventIngesterOptions } from '../../src/domains/xact/workers/xact-event-ingester.js';
import { xactDeltaEvents, type XactDeltaEventsOptions } from '../../src/domains/xact/workers/xact-delta-events.js';
import { xactDownload } from '../../src/domains/xact/workers/xact-download.js';
import { xactResultProcessor } from '../../src/domains/xact/workers/xact-result-processor.js';
import { xactRetry } from '../../src/domains/xact/workers/xact-retry.js';
import { xactUpload, type XactUploadOptions } from '../../src/domains/xact/workers/xact-upload.js';
import type { Download } from '../../src/http/downloader.js';
import { eachRow, type RowSink } from '../../src/runtime/table-rows.js';
import type { Row } from '../../src/storage/delta/table.js';
import { HOST } from './messages.js';
import type { Started, WorkerBench } from './worker-bench.js';

/** Rows that a worker wrote, by table. */
export interface Rows extends RowSink {
  readonly of: Readonly<Record<string, readonly Row[]>>;
}

/** Rows go to lists; `write` may refuse them first. */
export function rowLists(write: (table: string, row: Row) => unknown = () => undefined): Rows {
  const of: Record<string, Row[]> = {};
  const sink = eachRow(async (table, row) => {
    await write(table, row);
    (of[table] ??= []).push(row);
  });
  return { ...sink, of };
}

export function ingester(bench: WorkerBench, options: Partial<XactEventIngesterOptions> = {}): Started {
  return bench.start('xact-event-ingester', (shared) =>
    xactEventIngester({
      ...shared,
      urls: { allowedHosts: [HOST] },
      seen: bench.transport.marks(INGESTED_MARKS, { capacity: 1000 }),
      ...options,
    }),
  );
}

export function deltaEvents(bench: WorkerBench, rows: RowSink, options: Partial<XactDeltaEventsOptions> = {}): Started {
  return bench.start('xact-delta-events', (shared) => xactDeltaEvents({ ...shared, rows, ...options }));
}

export function downloader(bench: WorkerBench, download: Download): Started {
  return bench.start('xact-download', (shared) => xactDownload({ ...shared, download }));
}

/** Writes the file of each request to the cache, four bytes each. */
export function writesFiles(bench: WorkerBench): Download {
  return async ({ id, extension }) => ({
    path: await cacheFile(bench, `${id}.${extension}`),
    bytes: 4,
    contentType: 'application/pdf',
    httpStatus: 200,
  });
}

export async function cacheFile(bench: WorkerBench, name: string, text = '%PDF'): Promise<string> {
  await mkdir(bench.cache, { recursive: true });
  const path = join(bench.cache, name);
  await writeFile(path, text);
  return path;
}

export function uploader(bench: WorkerBench, options: Partial<XactUploadOptions> = {}): Started {
  return bench.start('xact-upload', (shared) => xactUpload({ ...shared, blobs: bench.blobs, cacheDirectory: bench.cache, ...options }));
}

export function resultProcessor(bench: WorkerBench, rows: RowSink): Started {
  return bench.start('xact-result-processor', (shared) => xactResultProcessor({ ...shared, rows }));
}

export function retrier(bench: WorkerBench, options: { readonly maxHeld?: number } = {}): Started {
  return bench.start('xact-retry', (shared) => xactRetry({ ...shared, ...options }));
}
