import { describe, expect, it } from 'vitest';
import { filter } from 'rxjs';
import {
  batchWithin,
  bounded,
  breaker,
  callEach,
  dedupe,
  filterOut,
  filtered,
  inLanes,
  lift,
  mapEach,
  perMessage,
  rateLimit,
  retryEach,
  route,
  split,
  tapEach,
  timeoutEach,
} from '../../operators/index.js';
import { type LawItem, settlesEach } from '../../src/testing/index.js';

type Item = LawItem<number>;
const key = (item: Item): string => String(item.value);

describe('the law: each item settles, is passed on or fails, and leaves once', () => {
  it('perMessage', () =>
    settlesEach(
      ({ act }) =>
        perMessage<Item>(() => (item, delivery) => {
          act(item);
          return item.value === 1 ? filtered('one') : delivery;
        }),
      { maxHeld: 1 },
    ));
  it('filterOut', () => settlesEach(({ act }) => filterOut((item: Item) => (act(item), item.value === 0)), { maxHeld: 1 }));
  it('tapEach', () => settlesEach(({ act }) => tapEach<Item>(act), { maxHeld: 1 }));
  it('mapEach', () =>
    settlesEach(({ call }) =>
      mapEach(
        (item: Item) => {
          const later = call(item);
          return later === undefined ? item : later.then(() => (item.value === 2 ? filtered('two') : item));
        },
        { concurrency: 3 },
      ),
    ));
  it('callEach, in order', () => settlesEach(({ call }) => callEach<Item>(call, { concurrency: 2 })));
  it('callEach, as they are ready', () => settlesEach(({ call }) => callEach<Item>(call, { concurrency: 2, order: 'none' })));
  it('callEach, with room for four', () => settlesEach(({ call }) => callEach<Item>(call, { concurrency: 2, maxHeld: 2 }), { maxHeld: 5 }));
  it('lift', () =>
    settlesEach(({ act }) =>
      lift(
        filter((item: Item) => (act(item), item.value > 0)),
        'nought',
      ),
    ));
  it('route', () =>
    settlesEach(({ call }) =>
      route<Item>({
        by: key,
        to: { 0: callEach<Item>(call), 1: tapEach(() => undefined) },
        otherwise: callEach<Item>(call, { order: 'none' }),
      }),
    ));
  it('split', () => settlesEach(({ act }) => split((item: Item) => (act(item), Array.from({ length: item.value }, () => item)))));
  it('batchWithin', () => settlesEach(() => batchWithin<Item>({ count: 3, withinMs: 5 }), { maxHeld: 3 }));
  it('dedupe behind lanes', () =>
    settlesEach(() => (source) => source.pipe(inLanes<Item>({ key }), dedupe<Item>({ key, withinMs: 10, maxKeys: 2 }))));
  it('rateLimit', () => settlesEach(() => rateLimit<Item>({ ratePerSecond: 100, burst: 2 })));
  it('bounded', () => settlesEach(() => bounded<Item>({ inFlight: 2 })));
  it('inLanes', () => settlesEach(() => inLanes<Item>({ key })));
  it('inLanes before calls', () =>
    settlesEach(
      ({ call }) =>
        (source) =>
          source.pipe(inLanes<Item>({ key }), callEach<Item>(call, { order: 'none' })),
    ));
  it('timeoutEach before calls that hang', () =>
    settlesEach(
      ({ call }) =>
        (source) =>
          source.pipe(timeoutEach<Item>({ withinMs: 20 }), callEach<Item>(call, { concurrency: 2 })),
      { endsHanging: true },
    ));
  it('retryEach before calls', () =>
    settlesEach(
      ({ call }) =>
        (source) =>
          source.pipe(retryEach<Item>({ baseMs: 4, maxAttempts: 3 }), callEach<Item>(call, { order: 'none' })),
    ));
  it('breaker before calls', () =>
    settlesEach(
      ({ call }) =>
        (source) =>
          source.pipe(
            breaker<Item>({ failureThreshold: 2, openMs: 10, halfOpenMax: 1, successThreshold: 1 }),
            callEach<Item>(call, { order: 'none' }),
          ),
    ));
  it('breaker that fails', () =>
    settlesEach(
      ({ act }) =>
        (source) =>
          source.pipe(breaker<Item>({ failureThreshold: 2, openMs: 10, whenOpen: 'fail' }), tapEach<Item>(act)),
    ));
  it('everything together', () =>
    settlesEach(
      ({ call, act }) =>
        (source) =>
          source.pipe(
            inLanes<Item>({ key }),
            timeoutEach<Item>({ withinMs: 200 }),
            retryEach<Item>({ baseMs: 3 }),
            breaker<Item>({ failureThreshold: 3, openMs: 10 }),
            filterOut((item: Item) => item.value === 3),
            callEach<Item>(call, { concurrency: 2 }),
            split((item: Item) => [item, item]),
            tapEach<Item>(act),
            batchWithin<Item>({ count: 3, withinMs: 5 }),
          ),
      { endsHanging: true },
    ));

  it('is seen to be broken by an operator that drops', async () => {
    const broken = settlesEach(() => (source) => source.pipe(filter((delivery) => delivery.value.value !== 1)));
    await expect(broken).rejects.toMatchObject({ cause: { message: expect.stringContaining('never left') as string } });
  });
});
