import type { Origin } from '../../operators/index.js';
import type { LogRecord } from './transport.js';

const NO_HEADERS: Readonly<Record<string, string>> = {};

/** Where a delivery comes from: key and headers as text; of a repeated header the last counts. */
export function originOf({ topic, partition, offset, key, headers, timestamp }: LogRecord): Origin {
  return { topic, partition, offset, key: key === null ? undefined : key.toString(), headers: textHeaders(headers), timestamp };
}

function textHeaders(headers: LogRecord['headers']): Readonly<Record<string, string>> {
  if (headers.length === 0) return NO_HEADERS;
  return Object.fromEntries(headers.map(([name, value]) => [name, value.toString()]));
}
