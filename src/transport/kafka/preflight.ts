import { connect } from 'node:net';
import { PenstockError } from '../../diagnostics/index.js';

/** Whether somebody listens at each address: asked of all at once, answered within the time. Rejects with PS3001, naming each address and its failure, when nobody does. */
export async function preflight(brokers: readonly string[], timeoutMs: number): Promise<void> {
  const answers = await Promise.all(brokers.map(async (address) => ({ address, failure: await knock(address, timeoutMs) })));
  if (answers.some(({ failure }) => failure === undefined)) return;
  throw new PenstockError(
    'PS3001',
    brokers.length === 0
      ? 'no broker is named'
      : `no broker answers: ${answers.map(({ address, failure }) => `${address} ${failure}`).join(', ')}`,
    { category: 'transient', help: 'check kafka.brokers (KAFKA_BROKERS): host:port of a listener that this machine can reach' },
  );
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection',
  ENOTFOUND: 'is not a known host',
  EAI_AGAIN: 'could not be looked up',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
  ETIMEDOUT: 'did not answer',
  ECONNRESET: 'closed the connection',
};

function knock(address: string, timeoutMs: number): Promise<string | undefined> {
  const match = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) return Promise.resolve('is not host:port');
  const host = match[1] ?? match[2]!;
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (failure: string | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(failure);
    };
    const timer = setTimeout(() => end(`did not answer within ${timeoutMs} ms`), timeoutMs);
    socket.once('connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => end(`${WORDS[error.code ?? ''] ?? error.message} (${error.code ?? 'no code'})`));
  });
}
