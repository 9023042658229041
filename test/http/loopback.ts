import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export const HOST = 'files.example.com';

export interface Loopback {
  readonly port: number;
  /** The stable name of this server, mapped to where it is. */
  readonly resolve: Readonly<Record<string, { readonly address: string; readonly port: number }>>;
  /** Every request that came, in order. */
  readonly requests: readonly IncomingMessage[];
}

/** Starts a server for one test. */
export async function serve(listener: RequestListener, tls?: { readonly key: string; readonly cert: string }): Promise<Loopback> {
  const requests: IncomingMessage[] = [];
  const listen: RequestListener = (request, response) => {
    requests.push(request);
    listener(request, response);
  };
  const server: Server = tls === undefined ? createServer(listen) : createTlsServer(tls, listen);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { port, resolve: { [HOST]: { address: '127.0.0.1', port } }, requests };
}

/** Makes a directory for one test. */
export async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-http-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** What a promise is rejected with. */
export async function rejection(promise: PromiseLike<unknown> | void): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}

/** What lies in a directory; nothing does in one that nobody made. */
export async function left(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}
