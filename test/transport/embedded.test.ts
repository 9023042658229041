import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '../../src/transport/embedded/index.js';
import { contractTests } from './conformance.js';

contractTests('embedded', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-log-'));
  const open = () => openEmbedded({ directory, handoverMs: 500, onWarning: () => undefined });
  const transport = await open();
  return {
    transport,
    again: open,
    dispose: async () => {
      await transport.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});
