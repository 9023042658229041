import type { Category } from '../diagnostics/index.js';
import type { Metrics } from './metrics.js';

/** How a transfer ended: done, or the category of its failure. */
export type TransferResult = 'done' | Category;

export interface DownloadMeter {
  started(): void;
  /** Ends what `started` began. */
  ended(result: TransferResult, bytes: number, milliseconds: number): void;
}

export function downloadMeter(metrics: Metrics, worker: string): DownloadMeter {
  let running = 0;
  metrics.gauge('penstock_downloads_in_flight', { worker }, () => running);
  return {
    started: () => void (running += 1),
    ended(result, bytes, milliseconds) {
      running -= 1;
      metrics.counter('penstock_downloads_total', { worker, result }).add();
      if (result !== 'done') return;
      metrics.counter('penstock_download_bytes_total', { worker }).add(bytes);
      metrics.histogram('penstock_download_duration_seconds', { worker }).observe(milliseconds / 1000);
    },
  };
}

export interface BlobMeter {
  ended(operation: 'put' | 'get' | 'delete', result: TransferResult, bytes: number, milliseconds: number): void;
}

export function blobMeter(metrics: Metrics): BlobMeter {
  return {
    ended(operation, result, bytes, milliseconds) {
      metrics.counter('penstock_blob_operations_total', { operation, result }).add();
      if (result === 'done') metrics.counter('penstock_blob_bytes_total', { operation }).add(bytes);
      metrics.histogram('penstock_blob_operation_duration_seconds', { operation }).observe(milliseconds / 1000);
    },
  };
}

export interface TableMeter {
  committed(result: TransferResult, rows: number, milliseconds: number): void;
}

export function tableMeter(metrics: Metrics, table: string): TableMeter {
  const duration = metrics.histogram('penstock_table_commit_duration_seconds', { table });
  return {
    committed(result, rows, milliseconds) {
      metrics.counter('penstock_table_commits_total', { table, result }).add();
      if (result === 'done') metrics.counter('penstock_table_rows_total', { table }).add(rows);
      duration.observe(milliseconds / 1000);
    },
  };
}

export interface ProducedMeter {
  produced(topic: string, bytes: number): void;
}

/** Counts records written to the log; topics that plugins choose by message would be a label without bound, so only the first 200 have a series. */
export function producedMeter(metrics: Metrics): ProducedMeter {
  const known = new Set<string>();
  return {
    produced(topic, bytes) {
      if (known.size < 200) known.add(topic);
      const label = known.has(topic) ? topic : 'other';
      metrics.counter('penstock_records_produced_total', { topic: label }).add();
      metrics.counter('penstock_produced_bytes_total', { topic: label }).add(bytes);
    },
  };
}
