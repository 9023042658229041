import { filter, type Observable } from 'rxjs';
import { type Delivery, filterOut, lift, mapEach, tapEach } from 'penstock/operators';
import {
  act,
  chain,
  contexts,
  defineOpenPlugin,
  messages,
  performActions,
  type PublishAction,
  publish,
  skip,
  type WebhookAction,
} from 'penstock/plugin';
import { eventFilter } from 'penstock/plugins/event-filter';

export interface MyEvent {
  readonly id: string;
  readonly type: string;
  readonly total: number;
}

/** A rule of one's own: orders above a sum are looked at. */
const largeOrders = defineOpenPlugin({
  name: 'large_orders',
  version: '1.0.0',
  summary: 'Publishes orders above a sum.',
  reads: messages<MyEvent>(),
  effects: { actions: ['publish_to_topic'] },
  create:
    () =>
    ({ message }) =>
      message.total < 1_000 ? skip('small') : act(publish('orders.large', message)),
});

/** What the service brings: its own ways to send and to call, and somebody who watches. */
export interface Service {
  send(action: PublishAction): Promise<void>;
  call(action: WebhookAction): Promise<void>;
  seen(event: MyEvent): void;
}

/** Plugins inside a service: no worker, no broker, no file. An event comes out when all that was asked for it is done; `pull` or `deliveries` feed it. */
export function routeOrders(service: Service) {
  return (orders$: Observable<Delivery<MyEvent>>): Observable<Delivery<MyEvent>> =>
    orders$.pipe(
      filterOut((event) => event.total === 0, 'nothing was ordered'),
      lift(
        filter((event: MyEvent) => event.id !== ''),
        'no id',
      ),
      tapEach((event) => service.seen(event)),
      contexts({ domain: 'orders', stage: 'placed', event_id: (event: MyEvent) => event.id, event_type: (event) => event.type }),
      chain(eventFilter({ pattern: 'test' }), largeOrders()),
      performActions({ publish: (action) => service.send(action), webhook: (action) => service.call(action), concurrency: 16 }),
      mapEach((context) => context.message),
    );
}
