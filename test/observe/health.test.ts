import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createHealth, createMetrics, type Health, type HttpServer, startHttpServer, workerMeter } from '../../src/observe/index.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function served(health: Health, port = 0): Promise<HttpServer> {
  const server = await startHttpServer({ health, metrics: createMetrics(), version: '1.2.3', port, describe: () => ({ workers: ['w'] }) });
  open.push(server);
  return server;
}

async function get(server: HttpServer, path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(server.url + path);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('health', () => {
  it('G8: readiness follows its checks while the process runs', async () => {
    const health = createHealth();
    let connected = true;
    let breaker: string | undefined;
    health.readiness('transport', () => (connected ? undefined : 'transport_disconnected'));
    health.readiness('http', () => breaker);
    const server = await served(health);
    expect(await get(server, '/readyz')).toMatchObject({ status: 200, body: { status: 'ready', checks: { transport: 'ok', http: 'ok' } } });
    connected = false;
    expect(await get(server, '/readyz')).toMatchObject({
      status: 503,
      body: { status: 'not_ready', reasons: ['transport: transport_disconnected'] },
    });
    connected = true;
    breaker = 'circuit_open';
    expect(await get(server, '/readyz')).toMatchObject({ status: 503, body: { reasons: ['http: circuit_open'] } });
    breaker = undefined;
    expect((await get(server, '/readyz')).status).toBe(200);
  });

  it('G8: a fatal error is not ready, with its text, and leaves liveness alone', async () => {
    const health = createHealth();
    const server = await served(health);
    health.failed(new Error('kafka.brokers is wrong'));
    expect(await get(server, '/readyz')).toMatchObject({ status: 503, body: { status: 'error', error: 'kafka.brokers is wrong' } });
    expect(await get(server, '/livez')).toMatchObject({ status: 200, body: { status: 'alive' } });
    expect(await get(server, '/health')).toMatchObject({
      status: 503,
      body: { status: 'error', version: '1.2.3', workers: ['w'], live: 'alive' },
    });
  });

  it('B1: liveness fails when the event loop has not turned for a minute, or a worker says it is stuck', () => {
    let now = 0;
    const health = createHealth({ now: () => now });
    health.start();
    now = 59_000;
    expect(health.alive().status).toBe('alive');
    now = 61_000;
    expect(health.alive()).toMatchObject({ status: 'unhealthy', reasons: ['event_loop_stale: no beat for 61 s'], uptime_seconds: 61 });
    health.beat();
    expect(health.alive().status).toBe('alive');
    const stop = health.liveness('xact-download', () => 'nothing has settled for 600 s');
    expect(health.alive().reasons).toEqual(['xact-download: nothing has settled for 600 s']);
    stop();
    expect(health.alive().status).toBe('alive');
    health.stop();
  });

  it('takes a check that throws for an answer', () => {
    const health = createHealth();
    health.readiness('odd', () => {
      throw new Error('boom');
    });
    expect(health.ready()).toMatchObject({ status: 'not_ready', reasons: ['odd: the check failed: boom'] });
  });

  it('serves metrics as text', async () => {
    const metrics = createMetrics();
    workerMeter(metrics, 'w').entered();
    const server = await startHttpServer({ health: createHealth(), metrics, version: '1', port: 0 });
    open.push(server);
    const response = await fetch(`${server.url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
    const text = await response.text();
    expect(text).toContain('penstock_deliveries_entered_total{worker="w"} 1');
    expect(text).toContain('penstock_build_info{version="1"} 1');
    expect((await fetch(`${server.url}/nothing`)).status).toBe(404);
  });

  it('takes the next free port, on loopback', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    open.push(taken);
    const { port } = taken.address() as { port: number };
    const server = await served(createHealth(), port);
    expect(server.port).toBeGreaterThan(port);
    expect(server.port).toBeLessThanOrEqual(port + 50);
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    expect((await get(server, '/livez')).status).toBe(200);
  });

  it('says which address cannot be had', async () => {
    const failing = startHttpServer({ health: createHealth(), metrics: createMetrics(), version: '1', host: '192.0.2.1', port: 4170 });
    await expect(failing).rejects.toMatchObject({ code: 'PS3010', message: 'the HTTP server cannot listen on 192.0.2.1:4170' });
  });
});
