import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ALLOWED_HOSTS, isProduction, validateUrl } from '../../src/http/url-policy.js';

const reason = (url: string, allowedHosts?: readonly string[]) => {
  const verdict = validateUrl(url, { allowedHosts });
  return verdict.accepted ? 'accepted' : verdict.reason;
};

describe('which URLs may be fetched', () => {
  it('https and a host of the list, compared whole', () => {
    expect(reason('https://claimxperience.com/a.pdf')).toBe('accepted');
    expect(reason('https://CLAIMXPERIENCE.com/a.pdf')).toBe('accepted');
    expect(reason('https://a.files.example.com/x', ['*.files.example.com'])).toBe('not_in_allow_list');
    expect(reason('https://claimxperience.com.evil.example.org/a.pdf')).toBe('not_in_allow_list');
    expect(reason('http://claimxperience.com/a.pdf')).toBe('not_https');
  });

  it('G7: neither this machine nor a private address, however it is spelled, even on the list', () => {
    const spellings = [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:10.0.0.1]',
      '10.0.0.1',
    ];
    const others = [
      '172.31.255.255',
      '192.168.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '[fd12:3456::1]',
      '[fe80::1]',
      '[64:ff9b::7f00:1]',
      '[::]',
    ];
    for (const host of [...spellings, ...others]) {
      const { hostname } = new URL(`https://${host}/`);
      expect(['private_ip', 'blocked_host'], host).toContain(reason(`https://${host}/x.pdf`, [host, hostname]));
    }
    for (const host of ['localhost', 'metadata.google.internal']) expect(reason(`https://${host}/x.pdf`, [host])).toBe('blocked_host');
    expect(reason('https://8.8.8.8/x.pdf', ['8.8.8.8'])).toBe('accepted');
  });

  it('no credentials and no port of its own', () => {
    expect(reason('https://user:pw@claimxperience.com/a.pdf')).toBe('user_info');
    expect(reason('https://claimxperience.com@evil.example.org/a.pdf')).toBe('user_info');
    expect(reason('https://claimxperience.com:8443/a.pdf')).toBe('port');
    expect(reason('https://claimxperience.com:443/a.pdf')).toBe('accepted');
  });

  it('the mode for this machine is refused in production', () => {
    const local = (url: string, environment = {}) => validateUrl(url, { allowLocalhost: true, environment });
    expect(local('http://localhost:8080/a.pdf').accepted).toBe(true);
    expect(local('http://claims-simulation/a.pdf').accepted).toBe(true);
    expect(local('http://localhost/a/../b.pdf')).toEqual({ accepted: false, reason: 'path_traversal' });
    expect(local('http://localhost/a.pdf', { APP_ENV: 'PROD-eu' })).toEqual({ accepted: false, reason: 'localhost_mode_in_production' });
    expect(isProduction({ ENVIRONMENT: 'staging' })).toBe(false);
  });

  it('an accepted URL leads to a host of the list, for whatever text', () => {
    const piece = fc.constantFrom(
      'https://',
      'http://',
      'claimxperience.com',
      'evil.example.org',
      '@',
      ':',
      '/',
      '\\',
      '#',
      '?',
      '.',
      '%2f',
      ' ',
      '\t',
      'x',
      '[::1]',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const url = pieces.join('');
        if (!validateUrl(url).accepted) return;
        const { hostname, protocol } = new URL(url);
        expect(DEFAULT_ALLOWED_HOSTS).toContain(hostname);
        expect(protocol).toBe('https:');
      }),
      { numRuns: 2000 },
    );
  });
});
