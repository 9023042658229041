import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSecretName, redactText, redactUrl } from '../../src/observe/redact.js';

const SECRET = 'S3cr3tVal-1';

describe('the redactor', () => {
  it('G15: no secret survives in a URL, wherever it stands', () => {
    const urls = [
      `https://files.example.com/a?sig=${SECRET}`,
      `https://files.example.com/a?x=1&X-Amz-Signature=${SECRET}#f`,
      `https://files.example.com/a?si%67=${SECRET}`,
      `https://files.example.com/a?b=1&amp;sig=${SECRET}`,
      `https://user:${SECRET}@files.example.com/a`,
      `https://${SECRET}@files.example.com/a`,
      `https://files.example.com/a#access_token=${SECRET}&x=1`,
    ];
    for (const url of urls) {
      expect(redactUrl(url)).not.toContain(SECRET);
      expect(redactText(`GET ${url} failed`)).not.toContain(SECRET);
    }
  });

  it('G15: no secret survives in a text', () => {
    const texts = [
      `pwd=${SECRET}`,
      `Authorization: Basic ${SECRET}`,
      `authorization: Bearer ${SECRET}`,
      `{"password":"${SECRET}","x":1}`,
      `{'client_secret': '${SECRET}'}`,
      `api_key: ${SECRET}`,
      `x-api-key=${SECRET}`,
      `token: ${SECRET}`,
      `AccountKey=${SECRET};EndpointSuffix=example.com`,
      `Endpoint=sb://x/;SharedAccessKey=${SECRET}`,
      `used AKIAABCDEFGHIJKLMNOP`,
      `auth=${SECRET}`,
    ];
    for (const text of texts) {
      expect(redactText(text), text).not.toContain(SECRET);
      expect(redactText(text), text).not.toContain('AKIAABCDEFGHIJKLMNOP');
    }
  });

  it('G15: credentials of the Basic scheme are told without their header', () => {
    expect(redactText('sent Basic dXNlcjpTM2NyM3Q= twice')).toBe('sent Basic [REDACTED] twice');
  });

  it('a sentence without secrets stays as it is', () => {
    for (const text of [
      'the file is empty',
      'expected token: a text, found a number',
      'key "media_id" is missing',
      'GET https://files.example.com/a.pdf?page=2 failed: 404',
      'basic validation failed',
      'Basic Authentication failed',
      'waiting for key K in webhook since 94 s',
    ]) {
      expect(redactText(text)).toBe(text);
    }
  });

  it('G15: redacting twice changes nothing more, and a limit holds', () => {
    const part = fc.constantFrom('sig=', SECRET, '&', ' ', 'https://', 'u:p@', 'Bearer ', '"token":"x1"', '?', '#', 'é', 'password: ', ';');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.integer({ min: 3, max: 60 }), (parts, limit) => {
        const once = redactText(parts.join(''));
        expect(redactText(once)).toBe(once);
        expect(Array.from(redactText(parts.join(''), limit)).length).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('takes a time that grows with the text, not faster', () => {
    for (const unit of ['a-', 'sig', 'https://', '%', '"token":"', 'key: ', 'x@', 'basic A1']) {
      const text = unit.repeat(200_000 / unit.length);
      const start = performance.now();
      redactText(text);
      expect(performance.now() - start, unit).toBeLessThan(2000);
    }
  });

  it('names are compared without case, dash as underscore', () => {
    for (const name of ['Authorization', 'X-API-Key', 'x_amz_signature', 'Set-Cookie', 'PASSWORD']) expect(isSecretName(name)).toBe(true);
    for (const name of ['page', 'tokens', 'mysig', 'keyboard', 'x-amz-date']) expect(isSecretName(name)).toBe(false);
  });
});
