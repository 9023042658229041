import type { DownloadResult } from '../../src/domains/xact/messages.js';

/** What was called while a block ran, by name. */
export const calls: string[] = [];

const result: DownloadResult = {
  trace_id: 't-1',
  media_id: 'm-1',
  attachment_url: 'https://files.example.com/estimate.esx',
  blob_path: 'estimateCreated/A-1/t-1/estimate.esx',
  status_subtype: 'estimateCreated',
  file_type: 'ESX',
  assignment_id: 'A-1',
  status: 'completed',
  http_status: 200,
  bytes_downloaded: 2048,
  retry_count: 0,
  error_message: null,
  expires_at: null,
  expired_at_ingest: null,
  created_at: '2026-01-05T08:00:01.000Z',
};

const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  results: [{ ...result, event_type: 'claims.estimateCreated' }],
  orders: [{ id: 'o-1', customer: 'c-1', total: 1200 }],
  events: [{ id: 'e-1', type: 'order.placed', total: 1200 }],
};

/** What a block only declares, as it needs it to run: values to flow, and functions that note who called. */
export function given(name: string): unknown {
  const noting = (called: string) => (): Promise<void> => {
    calls.push(called);
    return Promise.resolve();
  };
  if (name === 'service') return new Proxy({}, { get: (_, member) => noting(String(member)) });
  return VALUES[name] ?? noting(name);
}
