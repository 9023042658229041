import { describe, expect, it } from 'vitest';
import { meteredGuard } from '../../src/cli/metered.js';
import { PenstockError } from '../../src/diagnostics/index.js';
import { createMetrics } from '../../src/observe/index.js';
import { guard } from '../../src/runtime/guarded-call.js';

describe('a metered guard', () => {
  it('L8: lets go of what waits for an open breaker on each signal that it is given', async () => {
    const hosts = meteredGuard(
      guard({ failureThreshold: 1, successThreshold: 1, openMs: 60_000, halfOpenMax: 1 }),
      createMetrics(),
      'downloads',
    );
    const down = () => Promise.reject(new PenstockError('PS4104', 'down', { category: 'transient' }));
    await expect(hosts.run('host', down)).rejects.toThrow('down');
    for (const which of [0, 1]) {
      const signals = [new AbortController(), new AbortController()];
      const waiting = hosts.run('host', down, ...signals.map(({ signal }) => signal));
      signals[which]!.abort();
      await expect(waiting).rejects.toMatchObject({ category: 'circuit_open' });
    }
  });
});
