import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncScheduler } from 'rxjs';
import { PenstockError } from '../../src/diagnostics/index.js';
import { EmbeddedStore } from '../../src/transport/embedded/embedded-store.js';
import { openEmbedded } from '../../src/transport/embedded/index.js';
import { StoreTransport } from '../../src/transport/store-transport.js';
import { describe, expect, it } from 'vitest';
import { Collector, until } from './collector.js';
import { contractTests } from '../../src/testing/contract/index.js';

/** The embedded store, which fails when it is told to as it does on a full disk. */
async function breakable(directory: string) {
  const store = await EmbeddedStore.open({ directory, defaultPartitions: 1, leaseMs: 10_000, pollMs: 25, now: () => Date.now() });
  let broken = false;
  for (const name of ['write', 'beat', 'leave'] as const) {
    const real = store[name].bind(store) as (...values: unknown[]) => Promise<unknown>;
    const failing = (...values: unknown[]) =>
      broken ? Promise.reject(new PenstockError('PS3002', 'full', { category: 'transient' })) : real(...values);
    Object.assign(store, { [name]: failing });
  }
  const transport = new StoreTransport({
    name: 'embedded',
    capabilities: { atomicCommit: true, durable: true, shared: true },
    store,
    clock: asyncScheduler,
    releaseMs: 1000,
    handoverMs: 500,
    retryMs: 20,
    onWarning: () => undefined,
  });
  const breakWrites = (on: boolean) => {
    broken = on;
  };
  return { transport, breakWrites };
}

contractTests('embedded', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-log-'));
  const { transport, breakWrites } = await breakable(directory);
  return {
    transport,
    breakWrites,
    again: () => openEmbedded({ directory, handoverMs: 500, onWarning: () => undefined }),
    dispose: async () => {
      await transport.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});

describe('the embedded log', () => {
  it('keeps what is past its retention for a group that was given it and has committed nothing yet', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'penstock-log-'));
    const transport = await openEmbedded({ directory });
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
    await rm(directory, { recursive: true, force: true });
  });
});
