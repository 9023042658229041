import { categoryOf } from '../diagnostics/index.js';
import type { Download } from '../http/index.js';
import {
  type BlobMeter,
  blobMeter,
  breakerMeter,
  downloadMeter,
  type Metrics,
  producedMeter,
  tableMeter,
  type TransferResult,
} from '../observe/index.js';
import type { Guard } from '../runtime/guarded-call.js';
import type { BlobStore } from '../storage/blob/index.js';
import type { Table } from '../storage/delta/index.js';
import type { Transport } from '../transport/transport.js';

// Telemetry is put on from outside: what is measured here does not know of it.

/** Runs something and tells how it ended and how long it took, in milliseconds. */
async function timed<T>(
  work: () => Promise<T>,
  tell: (result: TransferResult, milliseconds: number, value: T | undefined) => void,
): Promise<T> {
  const from = performance.now();
  try {
    const value = await work();
    tell('done', performance.now() - from, value);
    return value;
  } catch (error) {
    tell(categoryOf(error), performance.now() - from, undefined);
    throw error;
  }
}

export function meteredDownload(download: Download, metrics: Metrics, worker: string): Download {
  const meter = downloadMeter(metrics, worker);
  return (request, signal) => {
    meter.started();
    return timed(
      () => download(request, signal),
      (result, milliseconds, value) => meter.ended(result, value?.bytes ?? 0, milliseconds),
    );
  };
}

export function meteredBlobs(blobs: BlobStore, metrics: Metrics): BlobStore {
  const meter: BlobMeter = blobMeter(metrics);
  return {
    putFile: (path, localPath, options) =>
      timed(
        () => blobs.putFile(path, localPath, options),
        (result, milliseconds, value) => meter.ended('put', result, value?.bytes ?? 0, milliseconds),
      ),
    put: (path, bytes, options) =>
      timed(
        () => blobs.put(path, bytes, options),
        (result, milliseconds, value) => meter.ended('put', result, value?.bytes ?? 0, milliseconds),
      ),
    get: (path) =>
      timed(
        () => blobs.get(path),
        (result, milliseconds, value) => meter.ended('get', result, value?.length ?? 0, milliseconds),
      ),
    delete: (path) =>
      timed(
        () => blobs.delete(path),
        (result, milliseconds) => meter.ended('delete', result, 0, milliseconds),
      ),
    head: (path) => blobs.head(path),
    list: (prefix) => blobs.list(prefix),
  };
}

export function meteredTable(table: Table, metrics: Metrics): Table {
  const meter = tableMeter(metrics, table.schema.name);
  return {
    schema: table.schema,
    check: (row) => table.check(row),
    commit: (batch) =>
      timed(
        () => table.commit(batch),
        (result, milliseconds, value) => meter.committed(result, value?.written ?? 0, milliseconds),
      ),
    txn: (appId) => table.txn(appId),
    count: () => table.count(),
    rows: () => table.rows(),
    close: () => table.close(),
  };
}

/** Counts what is produced outside of claims: the records of plugins and of the command line. */
export function meteredProduce(transport: Transport, metrics: Metrics): Transport['produce'] {
  const meter = producedMeter(metrics);
  return async (records) => {
    const positions = await transport.produce(records);
    for (const { topic, value } of records) meter.produced(topic, value?.length ?? 0);
    return positions;
  };
}

/** One series for all hosts: which one is open stands in `/readyz`, not in a label. */
export function meteredGuard(guard: Guard, metrics: Metrics, component: string): Guard {
  const meter = breakerMeter(metrics, component, () => (guard.open().length > 0 ? 'open' : 'closed'));
  return {
    open: () => guard.open(),
    async run(key, call, ...signals) {
      if (guard.open().includes(key)) meter.called('rejected');
      try {
        const result = await guard.run(key, call, ...signals);
        meter.called('success');
        return result;
      } catch (error) {
        meter.called('failure');
        throw error;
      }
    },
  };
}
