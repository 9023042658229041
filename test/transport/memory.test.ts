import { memoryTransport } from '../../src/transport/memory/index.js';
import { contractTests } from './conformance.js';

contractTests('memory', () => {
  const transport = memoryTransport({ onWarning: () => undefined });
  return Promise.resolve({ transport, dispose: () => transport.close() });
});
