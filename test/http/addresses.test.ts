import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { isPublicAddress, literalAddress, publicLookup, refusePrivateLiteral, type ResolvedAddress } from '../../src/http/addresses.js';
import { createClient } from '../../src/http/client.js';
import { PenstockError } from '../../src/diagnostics/index.js';
import { rejection } from './loopback.js';

const REFUSED = [
  'https://127.0.0.1/',
  'https://127.1/',
  'https://2130706433/',
  'https://0x7f.1/',
  'https://0177.0.0.1/',
  'https://0.0.0.0/',
  'https://10.1.2.3/',
  'https://172.16.0.1/',
  'https://192.168.1.1/',
  'https://100.64.0.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://192.0.2.1/',
  'https://198.18.0.1/',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  'https://[::1]/',
  'https://[::]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:a00:1]/',
  'https://[fe80::1]/',
  'https://[fc00::1]/',
  'https://[2001:db8::1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[2002:7f00:1::]/',
];

describe('addresses that somebody else may make us reach', () => {
  it.each(REFUSED)('G7: the literal of %s is refused', (url) => {
    expect(() => refusePrivateLiteral(new URL(url))).toThrowError(expect.objectContaining({ code: 'PS4102', category: 'permanent' }));
  });

  it.each(REFUSED)('G7: a client never connects to %s', async (url) => {
    const client = createClient({ failure: 'PS4104', connectTimeoutMs: 200, tls: { rejectUnauthorized: true } });
    const error = await rejection(client.send({ url: new URL(url), method: 'GET', headers: {}, responseTimeoutMs: 200 }));
    expect(error).toMatchObject({ code: 'PS4102', category: 'permanent' });
  });

  it('public literals and names pass', () => {
    for (const host of ['https://93.184.216.34/', 'https://[2606:2800:220:1::1]/', 'https://example.com/']) {
      expect(() => refusePrivateLiteral(new URL(host))).not.toThrow();
    }
    expect(isPublicAddress('::ffff:93.184.216.34')).toBe(true);
    expect(isPublicAddress('not an address')).toBe(false);
    expect(literalAddress('example.com')).toBeUndefined();
    expect(literalAddress('[::1]')).toBe('::1');
  });
});

describe('names', () => {
  const lookup = (addresses: readonly ResolvedAddress[], all: boolean) =>
    new Promise<unknown>((resolve) => {
      publicLookup(() => Promise.resolve(addresses))('name.example', { all }, (error, address, family) => {
        resolve(error ?? (all ? address : [address, family]));
      });
    });

  it('G7: one private address among public ones refuses the name', async () => {
    const answer = await lookup(
      [
        { address: '93.184.216.34', family: 4 },
        { address: '10.0.0.1', family: 4 },
      ],
      true,
    );
    expect(answer).toMatchObject({ code: 'PS4102', category: 'permanent' });
    expect(String(answer)).toContain('10.0.0.1');
  });

  it('hands on the very addresses it has judged', async () => {
    const addresses: LookupAddress[] = [
      { address: '93.184.216.34', family: 4 },
      { address: '2606:2800:220:1::1', family: 6 },
    ];
    expect(await lookup(addresses, true)).toEqual(addresses);
    expect(await lookup(addresses, false)).toEqual(['93.184.216.34', 4]);
  });

  it('a name without an address is refused', async () => {
    expect(await lookup([], true)).toMatchObject({ code: 'PS4102' });
  });

  it('G7: a name is resolved once for a connection, so that a second answer cannot slip in (DNS rebinding)', async () => {
    const answers = [[{ address: '127.0.0.1', family: 4 }], [{ address: '93.184.216.34', family: 4 }]];
    let asked = 0;
    const client = createClient({
      failure: 'PS4104',
      connectTimeoutMs: 300,
      tls: { rejectUnauthorized: true },
      resolveHost: () => {
        const answer = answers[asked % answers.length] ?? [];
        asked += 1;
        return Promise.resolve(answer);
      },
    });
    const error = await rejection(
      client.send({ url: new URL('https://rebinds.example/'), method: 'GET', headers: {}, responseTimeoutMs: 300 }),
    );
    expect(error).toBeInstanceOf(PenstockError);
    expect(error).toMatchObject({ code: 'PS4102', category: 'permanent' });
    expect(asked).toBe(1);
  });

  it('a name that does not resolve is a passing failure', async () => {
    const client = createClient({
      failure: 'PS4104',
      connectTimeoutMs: 300,
      tls: { rejectUnauthorized: true },
      resolveHost: () => Promise.reject(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })),
    });
    const error = await rejection(
      client.send({ url: new URL('https://nowhere.example/'), method: 'GET', headers: {}, responseTimeoutMs: 300 }),
    );
    expect(error).toMatchObject({ code: 'PS4104', category: 'transient', httpStatus: undefined });
  });
});
