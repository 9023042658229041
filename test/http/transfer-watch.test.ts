import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTransferWatch } from '../../src/http/transfer-watch.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const watch = (minBytesPerSecond = 100) => createTransferWatch({ idleTimeoutMs: 1000, minBytesPerSecond, windowMs: 4000, now: Date.now });

describe('createTransferWatch', () => {
  it('B10: silence is noticed', () => {
    const complaints: string[] = [];
    watch().start((why) => complaints.push(why));
    vi.advanceTimersByTime(900);
    expect(complaints).toEqual([]);
    vi.advanceTimersByTime(400);
    expect(complaints).toEqual(['no byte arrived for 1000 ms']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('B10: a trickle is noticed when a window is over, a healthy transfer never', () => {
    const complaints: string[] = [];
    const all = watch();
    const trickle = all.start((why) => complaints.push(`trickle: ${why}`));
    const healthy = all.start((why) => complaints.push(`healthy: ${why}`));
    for (let elapsed = 0; elapsed < 60_000; elapsed += 500) {
      trickle.received(20);
      healthy.received(100);
      vi.advanceTimersByTime(500);
    }
    expect(complaints).toEqual(['trickle: 40 bytes a second are fewer than 100']);
    healthy.done();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('the time in which the disk is slow is not held against the server', () => {
    const complaints: string[] = [];
    const transfer = watch(0).start((why) => complaints.push(why));
    transfer.pause();
    vi.advanceTimersByTime(10_000);
    transfer.resume();
    vi.advanceTimersByTime(900);
    expect(complaints).toEqual([]);
    vi.advanceTimersByTime(400);
    expect(complaints).toHaveLength(1);
  });
});
