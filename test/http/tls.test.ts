import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFetch } from '../../src/http/fetch.js';
import { tlsFromEnvironment } from '../../src/http/tls.js';
import { rejection, scratch, serve } from './loopback.js';
import { selfSigned } from './self-signed.js';

const call = (port: number) => ({ url: `https://localhost:${port}/`, method: 'GET', headers: {}, body: undefined, timeoutMs: 2000 });

describe('TLS', () => {
  it('refuses a certificate that nobody vouches for, unless it is among the authorities of the environment', async () => {
    const pair = selfSigned();
    const { port } = await serve((_request, response) => response.end('hello'), pair);
    const fetchWith = (environment: Readonly<Record<string, string>>) => createFetch({ trustedHosts: ['localhost'], environment });
    expect(await rejection(fetchWith({})(call(port)))).toMatchObject({
      code: 'PS4002',
      cause: expect.objectContaining({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    });
    const bundle = join(await scratch(), 'bundle.pem');
    await writeFile(bundle, pair.cert);
    expect((await fetchWith({ SSL_CERT_FILE: bundle })(call(port))).body.toString()).toBe('hello');
    expect((await fetchWith({ DISABLE_SSL_VERIFY: 'true' })(call(port))).body.toString()).toBe('hello');
  });

  it('verification cannot be turned off in production', () => {
    expect(() => tlsFromEnvironment({ DISABLE_SSL_VERIFY: 'True' }, { production: true })).toThrowError(
      expect.objectContaining({ code: 'PS1302' }),
    );
    expect(tlsFromEnvironment({}, { production: true })).toEqual({ rejectUnauthorized: true });
    expect(tlsFromEnvironment({ DISABLE_SSL_VERIFY: 'false' }, { production: false })).toEqual({ rejectUnauthorized: true });
  });

  it('the first bundle that is named is read, and one that cannot be read is named', () => {
    const read = () => tlsFromEnvironment({ SSL_CERT_FILE: '', CURL_CA_BUNDLE: '/nowhere/ca.pem' }, { production: false });
    expect(read).toThrowError(expect.objectContaining({ code: 'PS1002', message: expect.stringContaining('CURL_CA_BUNDLE') }));
  });
});
