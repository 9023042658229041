import { describe, expect, it } from 'vitest';
import { PenstockError } from '../../src/diagnostics/index.js';
import { boundedLog, createLogger, type LogOptions } from '../../src/observe/index.js';

function recorded(options: LogOptions = {}) {
  const lines: string[] = [];
  const logger = createLogger({ format: 'json', stream: { write: (text: string) => lines.push(text) }, ...options });
  return { logger, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

describe('the log', () => {
  it('G10: writes a sentence and whatever fields, in one line of JSON', () => {
    const { logger, lines, last } = recorded();
    logger.child({ worker: 'xact-download' }).warn('a download failed', {
      attempt: 2,
      error: new PenstockError('PS4104', 'HTTP 503', { category: 'transient', httpStatus: 503 }),
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/\n$/);
    const { time, ...rest } = last();
    expect(new Date(time as string).getTime()).toBeGreaterThan(0);
    expect(rest).toEqual({
      level: 'warn',
      worker: 'xact-download',
      msg: 'a download failed',
      attempt: 2,
      error: { name: 'PenstockError', message: 'HTTP 503', code: 'PS4104', category: 'transient', http_status: 503 },
    });
  });

  it('keeps the cause of an error, and the stack of one that has no code', () => {
    const { logger, last } = recorded();
    logger.error('it broke', { error: new PenstockError('PS7000', 'outer', { cause: new TypeError('inner') }) });
    expect(last()['error']).toMatchObject({
      message: 'outer',
      cause: { name: 'TypeError', message: 'inner', stack: expect.stringContaining('log.test') },
    });
    expect(last()['error']).not.toHaveProperty('stack');
  });

  it('is silent below its level, which can be changed', () => {
    const { logger, lines } = recorded({ level: 'warn' });
    logger.info('no');
    expect(lines).toHaveLength(0);
    logger.level = 'debug';
    logger.debug('yes');
    expect(lines).toHaveLength(1);
  });

  const secrets: readonly (readonly [string, unknown])[] = [
    ['a signed URL', { url: 'https://b.s3.amazonaws.com/f.pdf?X-Amz-Signature=s3cr3tvalue&a=1' }],
    ['a password in a URL', { url: 'https://user:s3cr3tvalue@example.com/' }],
    ['a header', { headers: { Authorization: 'Basic s3cr3tvalue' } }],
    ['a nested token', { config: { connection: [{ auth_token: 's3cr3tvalue' }] } }],
    ['an API key in camel case', { apiKey: 's3cr3tvalue' }],
    ['a key under a number', { clientCredential: 's3cr3tvalue' }],
    ['an object under a secret name', { secret: { deep: 's3cr3tvalue' } }],
    ['an error', { error: new Error('GET https://h/f?sig=s3cr3tvalue failed') }],
    ['a cause', { error: new Error('failed', { cause: new Error('Authorization: Bearer s3cr3tvalue') }) }],
    ['a URL object', { url: new URL('https://h/f?token=s3cr3tvalue') }],
    ['a map', { map: new Map([['password', 's3cr3tvalue']]) }],
  ];
  it.each(secrets)('G15: writes no secret from %s', (_, fields) => {
    const { logger, lines } = recorded();
    logger.info('something happened', fields as Record<string, unknown>);
    logger.child(fields as Record<string, unknown>).info('and again');
    expect(lines.join('')).not.toContain('s3cr3tvalue');
    expect(lines).toHaveLength(2);
  });

  it('G15: writes no secret from the sentence, in either format', () => {
    for (const format of ['json', 'pretty'] as const) {
      const { logger, lines } = recorded({ format });
      logger.info('fetching https://h/f.pdf?sig=s3cr3tvalue&x=1');
      expect(lines.join('')).toContain('https://h/f.pdf?');
      expect(lines.join('')).not.toContain('s3cr3tvalue');
    }
  });

  it('survives what cannot be written as it is', () => {
    const { logger, last } = recorded();
    const loop: Record<string, unknown> = { name: 'loop' };
    loop['self'] = loop;
    const shared = { a: 1 };
    logger.info('odd', {
      loop,
      big: 10n,
      bytes: Buffer.alloc(5),
      f: () => 1,
      date: new Date(Number.NaN),
      one: shared,
      two: shared,
      long: 'x'.repeat(100_000),
    });
    expect(last()).toMatchObject({
      loop: { name: 'loop', self: '[circular]' },
      big: '10',
      bytes: '[5 bytes]',
      f: '[function]',
      date: 'invalid date',
      one: { a: 1 },
      two: { a: 1 },
    });
    expect((last()['long'] as string).length).toBeLessThan(5000);
  });

  it('writes for people on request', () => {
    const { logger, lines } = recorded({ format: 'pretty', color: false });
    logger.child({ worker: 'w' }).info('a row was written', { table: 'xact_events', reason: 'two words' });
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}\[w\] a row was written table=xact_events reason="two words"\n$/);
  });
});

describe('repeated lines', () => {
  it('are written at a bounded rate by key, and the next one says how many were held back', () => {
    const { logger, lines, last } = recorded();
    let now = 0;
    let suppressed = 0;
    const log = boundedLog(logger, { perSecond: 1, burst: 2, now: () => now, onSuppressed: () => (suppressed += 1) });
    for (let count = 0; count < 10; count += 1) log.write('info', 'a', 'filtered', { plugin: 'p' });
    log.write('info', 'b', 'other');
    expect(lines).toHaveLength(3);
    expect(suppressed).toBe(8);
    now = 1000;
    log.write('info', 'a', 'filtered', { plugin: 'p' });
    expect(last()).toMatchObject({ plugin: 'p', suppressed: 8 });
  });

  it('keeps a bounded number of keys', () => {
    const { logger, lines } = recorded();
    const log = boundedLog(logger, { burst: 1, maxKeys: 2, now: () => 0 });
    for (const key of ['a', 'b', 'c', 'a']) log.write('info', key, key);
    expect(lines).toHaveLength(4);
    log.write('info', 'a', 'again');
    expect(lines).toHaveLength(4);
  });
});
