import type { OperatorFunction } from 'rxjs';
import { type Delivery, filtered, mapEach } from '../../operators/index.js';
import { PenstockError } from '../diagnostics/index.js';
import type { LogRecord } from '../transport/transport.js';
import { type Item, textHeaders } from './item.js';
import { isForGroup } from './retry-policy.js';

/** The header that names where a record's value lies, when it was too large to travel itself. */
export const CLAIM_CHECK_HEADER = 'claim_check';

export interface DecodeOptions<M> {
  /** The consumer group: what another group asked to have again passes by. */
  readonly group: string;
  /** Bytes to message; what it throws dead-letters the record with its original bytes. */
  readonly read: (bytes: Buffer) => M;
  /** Fetches a value that travels by claim check. */
  readonly fetchClaim?: ((name: string) => Promise<Buffer>) | undefined;
}

/** Reads each record. Synchronous, but for values that travel by claim check. */
export function decode<M>({ group, read, fetchClaim }: DecodeOptions<M>): OperatorFunction<Delivery<LogRecord>, Delivery<Item<M>>> {
  return mapEach<LogRecord, Item<M>>(
    (record) => {
      const headers = textHeaders(record);
      if (!isForGroup(headers, group)) return filtered('redelivered for another group');
      const claim = headers[CLAIM_CHECK_HEADER];
      if (claim !== undefined && fetchClaim !== undefined) {
        return fetchClaim(claim).then((value) => ({ record: { ...record, value }, headers, message: read(value) }));
      }
      if (record.value === null) throw new PenstockError('PS4101', 'the record has no value', { category: 'permanent' });
      return { record, headers, message: read(record.value) };
    },
    { order: 'source' },
  );
}
