import { asyncScheduler, type SchedulerLike } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { memoryTransport } from '../../src/transport/memory/index.js';
import { Collector, until } from './collector.js';
import { contractTests } from '../../src/testing/contract/index.js';

contractTests('memory', () => {
  let broken = false;
  const fault = () => (broken ? new PenstockError('PS3002', 'full', { category: 'transient' }) : undefined);
  const transport = memoryTransport({ fault, retryMs: 20, onWarning: () => undefined });
  const breakWrites = (on: boolean) => {
    broken = on;
  };
  return Promise.resolve({ transport, breakWrites, dispose: () => transport.close() });
});

describe('the memory transport', () => {
  it('keeps what is past its retention for a group that was given it and has committed nothing yet', async () => {
    const transport = memoryTransport();
    await transport.ensureTopics([{ name: 'short', partitions: 1, retentionMs: 1000 }]);
    await transport.produce(['a', 'b'].map((value) => ({ topic: 'short', key: null, value, timestamp: Date.now() - 5000 })));
    const slow = new Collector(transport.consume({ topics: ['short'], group: 'slow', credits: { count: 1, bytes: 1000 } }));
    await until('the first record', () => slow.deliveries.length === 1);
    expect(await transport.enforceRetention(Date.now())).toBe(0);
    slow.deliveries[0]!.settle('delivered');
    await until('the second record', () => slow.deliveries.length === 2);
    slow.deliveries[1]!.settle('delivered');
    await slow.consumer.drain();
    expect(await transport.enforceRetention(Date.now())).toBe(2);
    await transport.close();
  });

  it('hands out again what was released though the clock was set back meanwhile', async () => {
    let shift = 0;
    const clock = Object.assign(Object.create(asyncScheduler) as SchedulerLike, { now: () => Date.now() + shift });
    const transport = memoryTransport({ clock, releaseMs: 30 });
    await transport.ensureTopics([{ name: 't', partitions: 1 }]);
    const collector = new Collector(transport.consume({ topics: ['t'], group: 'g', credits: { count: 10, bytes: 1000 } }));
    await transport.produce([{ topic: 't', key: null, value: 'x' }]);
    await until('the record', () => collector.deliveries.length === 1);
    collector.deliveries[0]!.settle('released');
    shift = -3_600_000;
    await until('the record again', () => collector.deliveries.length === 2, 2000);
    collector.unsubscribe();
    await transport.close();
  });

  it('forgets no pause that ends while a turn is under way', async () => {
    let time = 0;
    const clock = Object.assign(Object.create(asyncScheduler) as SchedulerLike, { now: () => (time += 1) });
    for (let length = 1; length <= 30; length += 1) {
      const transport = memoryTransport({ clock });
      await transport.ensureTopics([{ name: 't', partitions: 1 }]);
      const collector = new Collector(transport.consume({ topics: ['t'], group: 'g', credits: { count: 10, bytes: 1000 } }));
      await until('the assignment', () => collector.consumer.state().assigned.length === 1);
      collector.consumer.pauseUntil('t', 0, time + length);
      await transport.produce([{ topic: 't', key: null, value: 'x' }]);
      await until(`the record after a pause of ${length}`, () => collector.deliveries.length === 1, 1000);
      collector.unsubscribe();
      await transport.close();
    }
  });
});
