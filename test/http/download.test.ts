import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createDownloader, type DownloaderOptions } from '../../src/http/download.js';
import type { Downloaded, DownloadRequest } from '../../src/http/downloader.js';
import { HOST, left, type Loopback, rejection, scratch, serve } from './loopback.js';

const PDF = Buffer.concat([Buffer.from('%PDF-1.4\n'), Buffer.alloc(50_000, 'x'), Buffer.from('\n%%EOF\n')]);

interface Bench {
  readonly server: Loopback;
  readonly directory: string;
  readonly get: (request?: Partial<DownloadRequest>, signal?: AbortSignal) => Promise<Downloaded>;
}

async function bench(listener: RequestListener, options: Partial<DownloaderOptions> = {}): Promise<Bench> {
  const server = await serve(listener);
  const directory = join(await scratch(), 'tmp');
  const download = createDownloader({ directory, allowedHosts: [HOST], resolve: server.resolve, environment: {}, ...options });
  const get: Bench['get'] = (request, signal = new AbortController().signal) =>
    download({ url: `https://${HOST}/a/report.pdf`, id: 'm-1', extension: 'pdf', attempt: 0, ...request }, signal);
  return { server, directory, get };
}

const sendPdf: RequestListener = (_request, response) =>
  response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': PDF.length }).end(PDF);

describe('a download', () => {
  it('ends as a whole file, with nothing beside it', async () => {
    const { get, directory, server } = await bench(sendPdf);
    const file = await get({ attempt: 3 });
    expect(file).toEqual({ path: join(directory, 'm-1'), bytes: PDF.length, contentType: 'application/pdf', httpStatus: 200 });
    expect(await readFile(file.path)).toEqual(PDF);
    expect(await readdir(directory)).toEqual(['m-1']);
    expect(server.requests[0]?.headers).toMatchObject({ host: HOST, 'accept-encoding': 'identity', 'x-penstock-attempt': '3' });
    expect(server.requests[0]?.headers).not.toHaveProperty('range');
  });

  it('may be repeated', async () => {
    const { get, directory } = await bench(sendPdf);
    await get();
    await writeFile(join(directory, 'm-1.part'), 'left by a process that was killed');
    expect((await get()).bytes).toBe(PDF.length);
    expect(await readdir(directory)).toEqual(['m-1']);
  });

  it('fifty run at once', async () => {
    const { get, directory } = await bench((request, response) => {
      const body = Buffer.concat([PDF, Buffer.from(String(request.url))]);
      setTimeout(() => response.writeHead(200, { 'content-type': 'application/pdf' }).end(body), 20);
    });
    const ids = Array.from({ length: 50 }, (_, index) => `m-${index}`);
    const files = await Promise.all(ids.map((id) => get({ id, url: `https://${HOST}/${id}.pdf` })));
    for (const [index, file] of files.entries())
      expect((await readFile(file.path)).subarray(PDF.length).toString()).toBe(`/${ids[index]}.pdf`);
    expect((await readdir(directory)).sort()).toEqual([...ids].sort());
  });

  it.each(['../../outside', 'a/b', '..', 'nul\0byte', 'x'.repeat(5000), '', 'm.part', 'a\\b', '.hidden'])(
    'E17: the id %j stays in the directory',
    async (id) => {
      const { get, directory } = await bench(sendPdf);
      const { path } = await get({ id });
      expect(path).toBe(join(directory, `id-${createHash('sha256').update(id).digest('hex')}`));
      expect(await readdir(directory)).toHaveLength(1);
    },
  );
});

describe('what the server says', () => {
  it.each([
    [400, 'permanent'],
    [401, 'auth'],
    [403, 'permanent'],
    [404, 'permanent'],
    [405, 'permanent'],
    [410, 'permanent'],
    [418, 'permanent'],
    [422, 'permanent'],
    [429, 'transient'],
    [500, 'transient'],
    [502, 'transient'],
    [503, 'transient'],
    [504, 'transient'],
  ] as const)('E18: %i is %s, and the status is kept', async (status, category) => {
    const { get, directory } = await bench((_request, response) => response.writeHead(status, { 'retry-after': '11' }).end('no'));
    const error = await rejection(get());
    expect(error).toMatchObject({
      code: 'PS4104',
      category,
      httpStatus: status,
      retryAfterMs: category === 'transient' ? 11_000 : undefined,
    });
    expect(await left(directory)).toEqual([]);
  });

  it('an empty file is a passing failure', async () => {
    const { get } = await bench((_request, response) => response.writeHead(200, { 'content-type': 'application/pdf' }).end());
    expect(await rejection(get())).toMatchObject({ code: 'PS4104', category: 'transient', httpStatus: 200 });
  });

  it('nobody there is a passing failure without a status', async () => {
    const server = await serve(sendPdf);
    const directory = await scratch();
    const download = createDownloader({
      directory,
      allowedHosts: [HOST],
      resolve: { [HOST]: { address: '127.0.0.1', port: 1 } },
      environment: {},
    });
    const error = await rejection(
      download({ url: `https://${HOST}/a.pdf`, id: 'm', extension: 'pdf', attempt: 0 }, new AbortController().signal),
    );
    expect(error).toMatchObject({
      code: 'PS4104',
      category: 'transient',
      httpStatus: undefined,
      cause: expect.objectContaining({ code: 'ECONNREFUSED' }),
    });
    expect(server.requests).toEqual([]);
  });

  it('a directory that cannot be is a failure of the disk', async () => {
    const file = join(await scratch(), 'file');
    await writeFile(file, '');
    const { get } = await bench(sendPdf, { directory: join(file, 'below') });
    expect(await rejection(get())).toMatchObject({
      code: 'PS4104',
      category: 'transient',
      cause: expect.objectContaining({ code: 'ENOTDIR' }),
    });
  });
});

describe('limits', () => {
  it('G7: an announced length above the limit is refused before a byte is taken', async () => {
    const { get, directory } = await bench(sendPdf, { maxBytes: PDF.length - 1 });
    const error = await rejection(get());
    expect(error).toMatchObject({ code: 'PS4106', category: 'permanent', httpStatus: 200 });
    expect(String(error)).toContain(`${PDF.length} bytes are announced`);
    expect(await left(directory)).toEqual([]);
  });

  it('G7: bytes beyond the limit are refused when nothing was announced', async () => {
    const { get, directory } = await bench(
      (_request, response) => {
        response.on('error', () => undefined);
        response.writeHead(200, { 'content-type': 'application/pdf' });
        const more = () => void (response.destroyed || response.write(PDF, more));
        more();
      },
      { maxBytes: 200_000 },
    );
    expect(await rejection(get())).toMatchObject({ code: 'PS4106', category: 'permanent' });
    expect(await left(directory)).toEqual([]);
  });

  it('a file of just the limit passes', async () => {
    const { get } = await bench(sendPdf, { maxBytes: PDF.length });
    expect((await get()).bytes).toBe(PDF.length);
  });

  it('B10: a server that falls silent in the body is left', async () => {
    const { get } = await bench((_request, response) => void response.writeHead(200, { 'content-length': '99999' }).write('%PDF-'), {
      idleTimeoutMs: 80,
    });
    const error = await rejection(get());
    expect(error).toMatchObject({ code: 'PS4104', category: 'transient', httpStatus: 200 });
    expect(String(error)).toContain('no byte arrived for 80 ms');
  });

  it('B10: a server that never answers is left', async () => {
    const { get } = await bench(() => undefined, { idleTimeoutMs: 80 });
    expect(await rejection(get())).toMatchObject({ code: 'PS4104', category: 'transient', httpStatus: undefined });
  });

  it('B10: a trickle is left, however long it would go on', async () => {
    const { get } = await bench(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/pdf' });
        const drip = setInterval(() => response.write('%'), 10);
        response.on('close', () => clearInterval(drip));
      },
      { idleTimeoutMs: 5000, minBytesPerSecond: 10_000, speedWindowMs: 100 },
    );
    const error = await rejection(get());
    expect(error).toMatchObject({ code: 'PS4104', category: 'transient' });
    expect(String(error)).toContain('bytes a second are fewer than 10000');
  });

  it('B10: there is no limit on the whole time', async () => {
    const { get } = await bench(
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': '3000' });
        let sent = 0;
        const drip = setInterval(() => {
          response.write(Buffer.concat([Buffer.from(sent === 0 ? '%PDF-' : ''), Buffer.alloc(sent === 0 ? 95 : 100, 'x')]));
          sent += 100;
          if (sent >= 3000) clearInterval(drip);
        }, 10);
      },
      { idleTimeoutMs: 100, minBytesPerSecond: 1000, speedWindowMs: 100 },
    );
    expect((await get()).bytes).toBe(3000);
  });
});

describe('content', () => {
  const sendAs = (type: string | undefined, body: Buffer): RequestListener => {
    return (_request, response) => response.writeHead(200, type === undefined ? {} : { 'content-type': type }).end(body);
  };
  const ZIP = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), Buffer.alloc(100, 1)]);
  const OLE = Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(100, 1)]);

  it.each([
    ['esx', 'application/octet-stream', ZIP],
    ['esx', 'application/zip', ZIP],
    ['esx', undefined, ZIP],
    ['csv', 'text/csv; charset=utf-8', Buffer.from('a,b\r\n1,2\r\n')],
    ['csv', 'application/octet-stream', Buffer.from('a,b\r\n1,2\r\n')],
    ['docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', ZIP],
    ['xlsx', 'application/octet-stream', ZIP],
    ['doc', 'application/msword', OLE],
    ['xls', 'application/vnd.ms-excel', OLE],
    ['pdf', 'binary/octet-stream', PDF],
    ['jpg', 'image/jpeg', Buffer.from('ffd8ffe000104a46494600', 'hex')],
  ] as const)('G7: a true %s as %s is accepted', async (extension, type, body) => {
    const { get } = await bench(sendAs(type, body));
    expect((await get({ extension, url: `https://${HOST}/a/file.${extension}` })).bytes).toBe(body.length);
  });

  it.each([
    ['pdf', 'text/html'],
    ['jpg', 'application/pdf'],
    ['exe', 'application/octet-stream'],
  ])('C13: %s as %s is permanent', async (extension, type) => {
    const { get, directory } = await bench(sendAs(type, PDF));
    expect(await rejection(get({ extension }))).toMatchObject({ code: 'PS4103', category: 'permanent' });
    expect(await left(directory)).toEqual([]);
  });

  it.each([
    ['pdf', Buffer.from('<!doctype html><p>Please sign in')],
    ['esx', PDF],
    ['jpg', ZIP],
  ] as const)('C13: bytes that are no %s are permanent', async (extension, body) => {
    const { get, directory } = await bench(sendAs('application/octet-stream', body));
    expect(await rejection(get({ extension }))).toMatchObject({ code: 'PS4103', category: 'permanent', httpStatus: 200 });
    expect(await left(directory)).toEqual([]);
  });

  it('nothing is decompressed: what comes packed is refused', async () => {
    const { get } = await bench((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/pdf', 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(10_000_000)));
    });
    const error = await rejection(get());
    expect(error).toMatchObject({ code: 'PS4103', category: 'permanent' });
    expect(String(error)).toContain('content-encoding gzip');
  });
});

describe('what is refused without a request', () => {
  it.each([
    'https://elsewhere.example/a.pdf',
    `http://${HOST}/a.pdf`,
    `https://user:word@${HOST}/a.pdf`,
    'https://127.0.0.1/a.pdf',
    'https://[::1]/a.pdf',
    'https://[::ffff:127.0.0.1]/a.pdf',
    'https://2130706433/a.pdf',
    'https://0x7f.1/a.pdf',
    'https://169.254.169.254/a.pdf',
    'file:///etc/passwd.pdf',
    'nonsense',
    '',
  ])('G7: %s', async (url) => {
    const hosts = [HOST, '127.0.0.1', '[::1]', '[::ffff:7f00:1]', '169.254.169.254'];
    const { get, server } = await bench(sendPdf, { allowedHosts: hosts });
    expect(await rejection(get({ url }))).toMatchObject({ code: 'PS4102', category: 'permanent' });
    expect(server.requests).toEqual([]);
  });

  it('G7: an allowed name that resolves to a private address', async () => {
    const { get, server } = await bench(sendPdf, {
      allowedHosts: ['rebinds.example'],
      resolveHost: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
    });
    expect(await rejection(get({ url: 'https://rebinds.example/a.pdf' }))).toMatchObject({ code: 'PS4102', category: 'permanent' });
    expect(server.requests).toEqual([]);
  });

  it('an S3 link that has expired', async () => {
    const now = Date.UTC(2031, 2, 4, 12);
    const { get, server } = await bench(sendPdf, { now: () => now });
    const link = (expires: number) => `https://${HOST}/a.pdf?X-Amz-Date=20310304T110000Z&X-Amz-Expires=${expires}&X-Amz-Signature=SECRET`;
    const error = await rejection(get({ url: link(3600) }));
    expect(error).toMatchObject({ code: 'PS4105', category: 'permanent' });
    expect(inspect(error)).not.toContain('SECRET');
    expect(server.requests).toEqual([]);
    expect((await get({ url: link(3601) })).bytes).toBe(PDF.length);
  });

  it('E11: a link is judged by what its host makes it, not by a text in it', async () => {
    const claimx = 'claimxperience.com';
    const server = await serve(sendPdf);
    const resolve = { ...server.resolve, [claimx]: server.resolve[HOST]! };
    const { get } = await bench(sendPdf, { allowedHosts: [HOST, claimx], resolve });
    const s3 = 'X-Amz-Date=20200101T000000Z&X-Amz-Expires=900';
    expect(await rejection(get({ url: `https://${HOST}/${claimx}/a.pdf?${s3}` }))).toMatchObject({ code: 'PS4105' });
    expect((await get({ url: `https://${HOST}/${claimx}/a.pdf?systemDate=0&expires=1` })).bytes).toBe(PDF.length);
    expect((await get({ url: `https://${claimx}/a.pdf?systemDate=0&expires=1` })).bytes).toBe(PDF.length);
  });

  it('fixed addresses in production', () => {
    expect(() =>
      createDownloader({ directory: '/nowhere', production: true, resolve: { [HOST]: { address: '127.0.0.1', port: 1 } } }),
    ).toThrowError(expect.objectContaining({ code: 'PS1302' }));
  });
});

describe('redirects', () => {
  const redirecting = (location: string, status = 302): RequestListener => {
    return (request, response) => {
      if (request.url === '/final.pdf') sendPdf(request, response);
      else response.writeHead(status, { location }).end();
    };
  };

  it.each([301, 302, 303, 307, 308])('E8: %i is followed when its target passes', async (status) => {
    const { get, server } = await bench(redirecting('/final.pdf', status));
    expect((await get()).bytes).toBe(PDF.length);
    expect(server.requests.map(({ url }) => url)).toEqual(['/a/report.pdf', '/final.pdf']);
  });

  it.each([
    'https://elsewhere.example/final.pdf',
    `http://${HOST}/final.pdf`,
    'https://127.0.0.1/final.pdf',
    'https://[::1]/final.pdf',
    'https://[::ffff:127.0.0.1]/final.pdf',
    'https://2130706433/final.pdf',
    'https://0x7f.1/final.pdf',
    'http://169.254.169.254/latest/meta-data/',
    'https://localhost/final.pdf',
    'file:///etc/passwd',
    'https://[broken',
  ])('E8: a redirect to %s is refused', async (location) => {
    const { get, server } = await bench(redirecting(location));
    expect(await rejection(get())).toMatchObject({ code: 'PS4102', category: 'permanent', httpStatus: 302 });
    expect(server.requests).toHaveLength(1);
  });

  it('E8: hops are counted', async () => {
    const { get, server } = await bench(redirecting('/again'), { maxRedirects: 3 });
    expect(await rejection(get())).toMatchObject({ code: 'PS4104', category: 'permanent', httpStatus: 302 });
    expect(server.requests).toHaveLength(4);
  });

  it('one without a target is a matter of signing in', async () => {
    const { get } = await bench((_request, response) => response.writeHead(302).end());
    expect(await rejection(get())).toMatchObject({ code: 'PS4104', category: 'auth', httpStatus: 302 });
  });
});

describe('what errors tell', () => {
  it('G15: no signature of a link is in an error or in what caused it', async () => {
    const url = `https://${HOST}/a.pdf?X-Amz-Signature=SECRET&sig=SECRET#SECRET`;
    const listeners: RequestListener[] = [
      (_request, response) => response.writeHead(403).end('SECRET'),
      (_request, response) => response.destroy(),
      (_request, response) => response.writeHead(302, { location: `https://user:SECRET@elsewhere.example/?sig=SECRET` }).end(),
      (_request, response) => response.writeHead(200, { 'content-length': '10' }).write('SEC', () => response.destroy()),
    ];
    for (const listener of listeners) {
      const { get } = await bench(listener);
      expect(inspect(await rejection(get({ url })), { depth: 10, showHidden: true })).not.toContain('SECRET');
    }
  });
});
