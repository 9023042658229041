import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Somebody who is called by webhooks, and remembers which actions came through, and how often. */
export interface Receiver {
  readonly url: string;
  /** Calls that were answered with 200, by the action's id. */
  readonly taken: ReadonlyMap<string, number>;
  /** Begins anew: whatever was called and refused before counts no more. */
  forget(): void;
  close(): Promise<void>;
}

export interface ReceiverOptions {
  /** Each action of so many is refused at first. */
  readonly refuseEach: number;
  /** So many times. */
  readonly refusals: number;
}

export async function startReceiver({ refuseEach, refusals }: ReceiverOptions): Promise<Receiver> {
  const taken = new Map<string, number>();
  const calls = new Map<string, { readonly number: number; count: number }>();
  const server = createServer((request, response) => {
    const id = String(request.headers['idempotency-key']);
    request.resume().once('end', () => {
      const call = calls.get(id) ?? { number: calls.size, count: 0 };
      calls.set(id, call);
      call.count += 1;
      const refused = call.number % refuseEach === 0 && call.count <= refusals;
      if (!refused) taken.set(id, (taken.get(id) ?? 0) + 1);
      response.writeHead(refused ? 503 : 200).end();
    });
  });
  server.keepAliveTimeout = 60_000; // a connection that ends just when it is used again would be one more refusal
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    forget: () => {
      taken.clear();
      calls.clear();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
