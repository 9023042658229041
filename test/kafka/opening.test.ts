import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openKafka } from '../../src/transport/kafka/index.js';

describe('when no broker answers', () => {
  it('says within a second what is wrong with each address', async () => {
    const before = Date.now();
    const opening = openKafka({ brokers: ['127.0.0.1:1', 'no-such-host.invalid:9092', 'nonsense', '127.0.0.1:99999'] });
    await expect(opening).rejects.toMatchObject({ code: 'PS3001', category: 'transient' });
    expect(Date.now() - before).toBeLessThan(1500);
    const message = await opening.catch((error: Error) => error.message);
    expect(message).toContain('127.0.0.1:1 refused the connection (ECONNREFUSED)');
    expect(message).toMatch(/no-such-host\.invalid:9092 (is not a known host|could not be looked up|did not answer)/);
    expect(message).toContain('nonsense is not host:port');
    expect(message).toContain('127.0.0.1:99999 is not host:port');
  });

  it('does not wait for ever for somebody who accepts connections and says nothing', async () => {
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const address = mute.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const opening = openKafka({ brokers: [`127.0.0.1:${port}`], connectMs: 100 });
    await expect(opening).rejects.toMatchObject({ code: 'PS3001' });
    mute.close();
  });
});
