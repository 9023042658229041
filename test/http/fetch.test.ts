import { describe, expect, it } from 'vitest';
import { createFetch } from '../../src/http/fetch.js';
import { HOST, rejection, serve } from './loopback.js';

const call = { url: `https://${HOST}/hook`, method: 'POST', headers: { 'x-demo': '1' }, body: '{"a":1}', timeoutMs: 2000 };

describe('createFetch', () => {
  it('sends method, headers and body, and answers with any status', async () => {
    let body = '';
    const server = await serve((request, response) => {
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => response.writeHead(503, { 'retry-after': '7', 'x-b': ['1', '2'] }).end('busy'));
    });
    const answer = await createFetch({ resolve: server.resolve })(call);
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({ 'retry-after': '7', 'x-b': '1, 2' });
    expect(answer.body.toString()).toBe('busy');
    expect(body).toBe('{"a":1}');
    expect(server.requests[0]?.method).toBe('POST');
    expect(server.requests[0]?.headers).toMatchObject({ host: HOST, 'x-demo': '1' });
  });

  it('F4: a service that does not answer in time is a passing failure', async () => {
    const server = await serve(() => undefined);
    const error = await rejection(createFetch({ resolve: server.resolve })({ ...call, timeoutMs: 60 }));
    expect(error).toMatchObject({ code: 'PS4002', category: 'transient' });
    expect(String(error)).toContain('within 60 ms');
  });

  it('F4: the time limit covers the body too', async () => {
    const server = await serve((_request, response) => void response.writeHead(200).write('and then'));
    const error = await rejection(createFetch({ resolve: server.resolve })({ ...call, timeoutMs: 60 }));
    expect(error).toMatchObject({ code: 'PS4002', category: 'transient' });
  });

  it('a redirect is an answer and is not followed', async () => {
    const server = await serve((_request, response) => response.writeHead(302, { location: 'https://elsewhere.example/' }).end());
    expect((await createFetch({ resolve: server.resolve })(call)).status).toBe(302);
    expect(server.requests).toHaveLength(1);
  });

  it.each(['http://127.0.0.1/', 'http://169.254.169.254/', 'https://[::1]/', 'https://2130706433/'])('G7: %s is refused', async (url) => {
    expect(await rejection(createFetch()({ ...call, url }))).toMatchObject({ code: 'PS4102', category: 'permanent' });
  });

  it.each(['file:///etc/passwd', 'ftp://example.com/', 'https://user:word@example.com/', 'nonsense'])('%s is refused', async (url) => {
    const error = await rejection(createFetch()({ ...call, url }));
    expect(error).toMatchObject({ code: 'PS4102', category: 'permanent' });
    expect(String(error)).not.toContain('word');
  });

  it('a trusted host may be on this machine', async () => {
    const server = await serve((_request, response) => response.end('here'));
    const url = `http://127.0.0.1:${server.port}/`;
    expect(await rejection(createFetch()({ ...call, url }))).toMatchObject({ code: 'PS4102' });
    expect((await createFetch({ trustedHosts: ['127.0.0.1'] })({ ...call, url })).body.toString()).toBe('here');
  });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])('F4: %s without a body is sent as it is, at once', async (method) => {
    const seen: (readonly [string | undefined, string])[] = [];
    const server = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        seen.push([request.method, Buffer.concat(chunks).toString()]);
        response.end('done');
      });
    });
    const answer = await createFetch({ resolve: server.resolve })({ ...call, method, body: undefined });
    expect([answer.body.toString(), seen]).toEqual(['done', [[method, '']]]);
  });

  it('keeps no more of a body than it should', async () => {
    const server = await serve((_request, response) => {
      response.on('error', () => undefined);
      response.end(Buffer.alloc(5_000_000, 'x'));
    });
    const answer = await createFetch({ resolve: server.resolve, maxBodyBytes: 1000 })(call);
    expect(answer.body.length).toBe(1000);
  });

  it('fixed addresses are refused in production', () => {
    expect(() => createFetch({ production: true, resolve: { [HOST]: { address: '127.0.0.1', port: 1 } } })).toThrowError(
      expect.objectContaining({ code: 'PS1302' }),
    );
  });

  it('stops when it is told to', async () => {
    const server = await serve(() => undefined);
    const stop = new AbortController();
    const answer = createFetch({ resolve: server.resolve })(call, stop.signal);
    setTimeout(() => stop.abort(new Error('drain')), 20);
    expect(await rejection(answer)).toMatchObject({
      code: 'PS4002',
      category: 'transient',
      cause: expect.objectContaining({ message: 'drain' }),
    });
  });
});
