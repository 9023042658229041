import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { PenstockError } from '../diagnostics/index.js';
import type { Health } from './health.js';
import type { Metrics } from './metrics.js';

export interface HttpServerOptions {
  readonly health: Health;
  readonly metrics: Metrics;
  readonly version: string;
  /** Defaults to loopback: there is no authentication. */
  readonly host?: string;
  /** The first port to try; 0 takes any. Defaults to 4170. */
  readonly port?: number;
  /** How many ports after the first are tried. Defaults to 50. */
  readonly tries?: number;
  /** Adds what `/health` shows beside the checks. */
  readonly describe?: () => Readonly<Record<string, unknown>>;
  /** Adds routes of its own. */
  readonly extend?: (app: Hono) => void;
}

export interface HttpServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/** The routes `/metrics`, `/livez`, `/readyz` and `/health`. Both probes answer 200 or 503. */
export function healthRoutes({ health, metrics, version, describe, extend }: HttpServerOptions): Hono {
  const app = new Hono();
  app.get('/metrics', async (context) => context.body(await metrics.text(), 200, { 'content-type': metrics.contentType }));
  app.get('/livez', (context) => {
    const report = health.alive();
    return context.json(report, report.status === 'alive' ? 200 : 503);
  });
  app.get('/readyz', (context) => {
    const report = health.ready();
    return context.json(report, report.status === 'ready' ? 200 : 503);
  });
  app.get('/health', (context) => {
    const ready = health.ready();
    const alive = health.alive();
    const well = ready.status === 'ready' && alive.status === 'alive';
    return context.json({ version, ...ready, live: alive.status, ...describe?.() }, well ? 200 : 503);
  });
  extend?.(app);
  return app;
}

/** Serves the routes on the first free port from `port` on. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host = '127.0.0.1', port = 4170, tries = 50 } = options;
  const { fetch } = healthRoutes(options);
  options.metrics.gauge('penstock_build_info', { version: options.version }, () => 1);
  for (let offset = 0; ; offset += 1) {
    const server = createAdaptorServer({ fetch });
    try {
      const bound = await listening(server, host, port === 0 ? 0 : port + offset);
      return {
        host,
        port: bound,
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
        close: () => closed(server),
      };
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE' && offset < tries && port + offset < 65_535) continue;
      throw new PenstockError('PS3010', `the HTTP server cannot listen on ${host}:${port + offset}`, {
        category: 'permanent',
        cause,
        help: 'choose another address with --api HOST:PORT, or do without by --no-api',
      });
    }
  }
}

type Server = ReturnType<typeof createAdaptorServer>;

function listening(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
}
