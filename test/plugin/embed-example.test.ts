import { expectTypeOf, describe, expect, it } from 'vitest';
import type { Observable } from 'rxjs';
import { type Delivery, pull, values } from 'penstock/operators';
import { type MyEvent, routeOrders, type Service } from '../../examples/embed/route-orders.js';
import { marbles } from 'penstock/testing';

const order = (id: string, total: number, type = 'order'): MyEvent => ({ id, total, type });
const values1 = { s: order('s', 5), l: order('l', 2_000), t: order('t', 5, 'test.order'), n: order('n', 0), x: order('', 5) };

class Recorder implements Service {
  readonly sent: unknown[] = [];
  readonly watched: string[] = [];
  open = 0;
  mostOpen = 0;

  constructor(private readonly ms: number) {}

  async send({ params }: Parameters<Service['send']>[0]): Promise<void> {
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    await new Promise((resolve) => setTimeout(resolve, this.ms));
    this.open -= 1;
    this.sent.push(params);
  }

  call(): Promise<void> {
    return Promise.resolve();
  }

  seen(event: MyEvent): void {
    this.watched.push(event.id);
  }
}

describe('the embedding example', () => {
  it('filters, taps and publishes in a plain stream; an event comes out when its actions are done', async () => {
    const service = new Recorder(3);
    await marbles(
      routeOrders(service),
      `
      in        slt-n-x------|
      out       s---l--------|
      filtered  --t-n-x-------
      `,
      { values: values1, reasons: { t: /^event_filter: /, n: 'nothing was ordered', x: 'no id' } },
    );
    expect(service.sent).toEqual([{ topic: 'orders.large', payload: values1.l, key: 'l', headers: {} }]);
    expect(service.watched).toEqual(['s', 'l', 't']);
  });

  it('asks its source for no more than it can take', async () => {
    const service = new Recorder(1);
    let asked = 0;
    let done = 0;
    let most = 0;
    function* events(): Iterable<MyEvent> {
      for (let at = 0; at < 40; at += 1) {
        asked += 1;
        most = Math.max(most, asked - done);
        yield order(`o${at}`, 5_000);
      }
    }
    await new Promise<void>((resolve) => {
      pull(events(), { credits: 4 })
        .pipe(routeOrders(service), values())
        .subscribe({ next: () => (done += 1), complete: resolve });
    });
    expect(service.sent).toHaveLength(40);
    expect(service.mostOpen).toBeLessThanOrEqual(4);
    expect(most).toBeLessThanOrEqual(5);
  });

  it('keeps the type of the event', () => {
    expectTypeOf<ReturnType<typeof routeOrders>>().parameter(0).toEqualTypeOf<Observable<Delivery<MyEvent>>>();
    expectTypeOf<ReturnType<ReturnType<typeof routeOrders>>>().toEqualTypeOf<Observable<Delivery<MyEvent>>>();
  });
});
