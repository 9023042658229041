import type { Observable } from 'rxjs';
import type { Delivery } from 'penstock/operators';
import { chain, performActions, type PublishAction } from 'penstock/plugin';
import { eventFilter } from 'penstock/plugins/event-filter';
import { failureAlerter } from 'penstock/plugins/failure-alerter';
import { eachRow, type NewRecord, records, type Row, type Settled, xactResultProcessor } from 'penstock/workers/xact-result-processor';

/** A result as this service has it; the fields that are needed for a row. */
export interface Result {
  readonly media_id: string;
  readonly event_type: string;
}

/** What the service brings: where rows, alerts, retries and dead letters go. */
export interface Service {
  save(table: string, row: Row): Promise<void>;
  alert(action: PublishAction): Promise<void>;
  keep(record: NewRecord): Promise<void>;
}

/**
 * One worker stage in a service of one's own: no broker, no file. It tells how each result left; `signal` drains it, unsubscribing gives back what is
 * in flight.
 */
export function storeResults(results$: Observable<Delivery<Result>>, service: Service, signal?: AbortSignal): Observable<Settled> {
  return xactResultProcessor({
    source: results$.pipe(
      records({ topic: 'results', key: (result) => result.media_id, headers: (result) => ({ event_type: result.event_type }) }),
    ),
    chains: { result_process: chain(eventFilter({ pattern: '.*test' }), failureAlerter({ min_retries: 2 })) },
    perform: performActions({ publish: (action) => service.alert(action) }),
    rows: eachRow((table, row) => service.save(table, row)),
    sink: (record) => service.keep(record),
    signal,
  });
}
