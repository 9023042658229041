import type { Observable } from 'rxjs';
import { expectTypeOf } from 'vitest';
import type { Delivery } from 'penstock/operators';
import { chain, definePlugin } from 'penstock/plugin';
import { eventFilter } from 'penstock/plugins/event-filter';
import { failureAlerter } from 'penstock/plugins/failure-alerter';
import {
  eachRow,
  type LogRecord,
  records,
  type Settled,
  type XactWorkerOptions,
  xactResultProcessor,
} from 'penstock/workers/xact-result-processor';
import { xactEventIngester } from 'penstock/workers/xact-event-ingester';
import { type Result, type Service, storeResults } from '../../examples/worker/store-results.js';
import { type MyEvent, routeOrders, type Service as OrderService } from '../../examples/embed/route-orders.js';

declare const source: Observable<Delivery<LogRecord>>;
declare const results$: Observable<Delivery<Result>>;
declare const service: Service;
declare const orders: OrderService;

const atIngest = definePlugin({
  name: 'at_ingest',
  version: '1.0.0',
  summary: 'Reads events.',
  domains: ['xact'],
  stages: ['event_ingest'],
  create:
    () =>
    ({ message }) =>
      void message.traceId,
});

// A worker is an Observable of what was settled.
expectTypeOf(storeResults(results$, service)).toEqualTypeOf<Observable<Settled>>();
expectTypeOf<Settled['outcome']>().toEqualTypeOf<'delivered' | 'filtered' | 'retried' | 'dead_lettered' | 'released'>();

// Plugins go where their stage is; those of any stage go everywhere.
const mounted = { source, sink: () => undefined, rows: eachRow(() => undefined) };
xactResultProcessor({ ...mounted, chains: { result_process: chain(eventFilter({ pattern: 'x' }), failureAlerter()) } });
xactEventIngester({ ...mounted, urls: {}, chains: { event_ingest: atIngest() } });
// @ts-expect-error a plugin of event_ingest reads what a result has not
xactResultProcessor({ ...mounted, chains: { result_process: atIngest() } });
// @ts-expect-error the domain has no such stage
xactResultProcessor({ ...mounted, chains: { result_proces: eventFilter({ pattern: 'x' }) } });
// @ts-expect-error rows have nowhere to go
xactResultProcessor({ source, sink: () => undefined });

// Messages of one's own become records, and keep their type on the way in.
expectTypeOf(records<Result>({ topic: 't', key: ({ media_id }) => media_id }))
  .parameter(0)
  .toEqualTypeOf<Observable<Delivery<Result>>>();
// @ts-expect-error a key is text
records<Result>({ topic: 't', key: () => 7 });
expectTypeOf<XactWorkerOptions['signal']>().toEqualTypeOf<AbortSignal | undefined>();

// The embedded stream keeps the type of its events.
expectTypeOf(routeOrders(orders)).returns.toEqualTypeOf<Observable<Delivery<MyEvent>>>();
