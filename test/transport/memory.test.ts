import { PenstockError } from '../../src/diagnostics/index.js';
import { memoryTransport } from '../../src/transport/memory/index.js';
import { contractTests } from './conformance.js';

contractTests('memory', () => {
  let broken = false;
  const fault = () => (broken ? new PenstockError('PS3002', 'full', { category: 'transient' }) : undefined);
  const transport = memoryTransport({ fault, retryMs: 20, onWarning: () => undefined });
  const breakWrites = (on: boolean) => {
    broken = on;
  };
  return Promise.resolve({ transport, breakWrites, dispose: () => transport.close() });
});
