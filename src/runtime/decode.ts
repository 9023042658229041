import { identity, type OperatorFunction } from 'rxjs';
import { type Delivery, filtered, perMessage } from '../../operators/index.js';
import { PenstockError } from '../diagnostics/index.js';
import type { LogRecord } from '../transport/transport.js';
import { type ClaimChecks, redeem } from './claim-check.js';
import { BUILT_IN_FILTERS } from './built-in-filters.js';
import { type Item, textHeaders } from './item.js';
import { isForGroup } from './retry-policy.js';

export interface DecodeOptions<M> {
  /** The consumer group: what another group asked to have again passes by. */
  readonly group: string;
  /** Bytes to message; what it throws dead-letters the record with its original bytes. */
  readonly read: (bytes: Buffer) => M;
  /** Where values lie that were too large to travel. */
  readonly claims?: ClaimChecks | undefined;
}

/** Reads each record. Synchronous, but for values that travel by claim check. */
export function decode<M>({ group, read, claims }: DecodeOptions<M>): OperatorFunction<Delivery<LogRecord>, Delivery<Item<M>>> {
  return (records$) =>
    records$.pipe(
      claims === undefined ? identity : redeem(claims, group),
      perMessage<LogRecord, Item<M>>(() => (record, delivery) => {
        const headers = textHeaders(record);
        if (!isForGroup(headers, group)) return filtered(BUILT_IN_FILTERS.otherGroup);
        if (record.value === null) throw new PenstockError('PS4101', 'the record has no value', { category: 'permanent' });
        return delivery.with({ record, headers, message: read(record.value) });
      }),
    );
}
