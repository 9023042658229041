import { CATEGORIES } from '../diagnostics/index.js';
import type { Header, NewRecord } from '../transport/transport.js';
import type { Item } from './item.js';
import { retryCountOf, retryHeaders } from './retry-policy.js';
import type { Spilled } from './spill.js';

export interface SpillRoute {
  readonly worker: string;
  readonly domain: string;
  /** The logical name of a topic, as the retry scheme says it. */
  readonly logicalName: (topic: string) => string;
  readonly retryTopic: (topic: string, delayMs: number) => string;
}

/** A record that waits on a retry topic for another's retry: as it came, with the headers that bring it back. Its retries are counted as before. */
export function spilledRecord({ record, headers }: Item<unknown>, spilled: Spilled, route: SpillRoute): NewRecord {
  const { key, delayMs, dueAt } = spilled;
  const originalKey = record.key === null ? key : record.key.toString('utf8');
  const scheme: Readonly<Record<string, string>> = {
    ...spilled.headers,
    ...retryHeaders({
      traceId: headers['trace_id'] ?? originalKey,
      retryCount: retryCountOf(headers),
      dueAt,
      delayMs,
      targetTopic: route.logicalName(record.topic),
      workerType: route.worker,
      originalKey,
      category: CATEGORIES.find((category) => category === headers['error_category']) ?? 'unknown',
      domain: route.domain,
      group: route.worker,
    }),
  };
  return {
    topic: route.retryTopic(record.topic, delayMs),
    key: record.key ?? key,
    value: record.value,
    headers: [
      ...record.headers.filter(([name]) => !(name in scheme) && name !== 'redelivered_from'),
      ...Object.entries(scheme).map(([name, value]): Header => [name, Buffer.from(value)]),
    ],
  };
}
