import { Subject } from 'rxjs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Delivery, openDelivery } from '../../operators/index.js';
import { holdUntil } from '../../src/runtime/hold-until.js';

beforeEach(() => {
  vi.useFakeTimers({ now: 80 });
});
afterEach(() => {
  vi.useRealTimers();
});

it('L3: what is due goes on in the order in which it was due, also when the timer of a later one is first', async () => {
  const in$ = new Subject<Delivery<number>>();
  const out: number[] = [];
  in$.pipe(holdUntil({ due: (value) => value, maxHeld: 10 })).subscribe((delivery) => out.push(delivery.value));
  const hand = (value: number): void =>
    in$.next(openDelivery(value, undefined, { settled: ({ outcome }, confirm) => confirm(outcome), failed: () => undefined }));
  hand(100);
  // A process that was busy arms its next timer late: the timers of both go by the time at which it began.
  vi.setSystemTime(83);
  hand(101);
  hand(99);
  hand(300);
  await vi.advanceTimersByTimeAsync(18);
  expect(out).toEqual([99, 100, 101]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(out).toEqual([99, 100, 101, 300]);
});
