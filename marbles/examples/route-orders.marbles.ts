import { describe, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { marbles } from '../../src/testing/index.js';
import { routeOrders, type MyEvent, type Service } from '../../examples/embed/route-orders.js';

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const order = (id: string, fields: Partial<MyEvent> = {}): MyEvent => ({ id, type: 'order.placed', total: 10, ...fields });
const values = {
  a: order('a'),
  l: order('l', { total: 5000 }),
  z: order('z', { total: 0 }),
  n: order(''),
  t: order('t', { type: 'test.placed' }),
};
const service = (send: () => Promise<void>): Service => ({ send, call: () => Promise.resolve(), seen: () => undefined });

describe('plugins inside somebody’s own stream', () => {
  it('passes orders on, a large one when it was published, and filters the rest', () =>
    marbles(routeOrders(service(() => later(3))) as never, { in: 'azntl----|', out: 'a------l-|', filtered: '-znt-' }, { values }));

  it('hands an order whose alert cannot be sent to whoever opened its claim', () =>
    marbles(
      routeOrders(service(() => Promise.reject(new PenstockError('PS4002', 'no', { category: 'permanent' })))) as never,
      { in: 'la--|', out: '-a--|', failed: 'l' },
      { values, reasons: { l: /no/ } },
    ));

  it('releases what waits when it is left', () =>
    marbles(routeOrders(service(() => later(9))) as never, { in: 'l----|', sub: '^--!', out: '', released: '---l' }, { values }));
});
