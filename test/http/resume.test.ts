import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { createDownloader } from '../../src/http/download.js';
import { openPart } from '../../src/http/part-file.js';
import { HOST, rejection, scratch, serve } from './loopback.js';

const PDF = Buffer.concat([Buffer.from('%PDF-1.4\n'), Buffer.alloc(300_000, 'abcdefghij'), Buffer.from('\n%%EOF\n')]);
const HALF = 150_000;

interface Site {
  body: Buffer;
  etag: string | undefined;
  modified?: string;
  cuts: number;
}

/** Serves ranges as a storage service does, and cuts the first bodies short. */
function storage(site: Site): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    const validator = site.etag ?? site.modified;
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const from = range !== null && request.headers['if-range'] === validator ? Number(range[1]) : 0;
    const rest = site.body.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': 'application/pdf',
      'content-length': rest.length,
      ...(site.etag === undefined ? {} : { etag: site.etag }),
      ...(site.modified === undefined ? {} : { 'last-modified': site.modified }),
      ...(from > 0 ? { 'content-range': `bytes ${from}-${site.body.length - 1}/${site.body.length}` } : {}),
    });
    if (site.cuts > 0) {
      site.cuts -= 1;
      response.write(rest.subarray(0, HALF), () => setTimeout(() => response.destroy(), 20));
    } else response.end(rest);
  };
}

async function bench(listener: RequestListener) {
  const server = await serve(listener);
  const directory = await scratch();
  const download = createDownloader({ directory, allowedHosts: [HOST], resolve: server.resolve, environment: {} });
  const get = (signal = new AbortController().signal, path = '/a.pdf') =>
    download({ url: `https://${HOST}${path}?X-Amz-Signature=${Math.random()}`, id: 'm-1', extension: 'pdf', attempt: 0 }, signal);
  return { server, directory, get };
}

describe('a download that was cut', () => {
  it('goes on where it was, in the next attempt', async () => {
    const { get, server, directory } = await bench(storage({ body: PDF, etag: '"v1"', cuts: 1 }));
    expect(await rejection(get())).toMatchObject({ code: 'PS4104', category: 'transient', httpStatus: 200 });
    expect((await readdir(directory)).sort()).toEqual(['m-1.part', 'm-1.part.json']);
    const { size } = await stat(join(directory, 'm-1.part'));
    expect(size).toBeGreaterThan(0);
    const file = await get();
    expect(file).toMatchObject({ bytes: PDF.length, httpStatus: 206 });
    expect((await readFile(file.path)).equals(PDF)).toBe(true);
    expect(server.requests[1]?.headers).toMatchObject({ range: `bytes=${size}-`, 'if-range': '"v1"' });
    expect(await readdir(directory)).toEqual(['m-1']);
  });

  it('goes on by date when there is no tag', async () => {
    const { get, server } = await bench(storage({ body: PDF, etag: undefined, modified: 'Mon, 05 Jan 2026 08:00:00 GMT', cuts: 1 }));
    await rejection(get());
    expect((await get()).httpStatus).toBe(206);
    expect(server.requests[1]?.headers['if-range']).toBe('Mon, 05 Jan 2026 08:00:00 GMT');
  });

  it('starts anew when the file is another by now', async () => {
    const site: Site = { body: PDF, etag: '"v1"', cuts: 1 };
    const { get } = await bench(storage(site));
    await rejection(get());
    site.body = Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(1000, 'z')]);
    site.etag = '"v2"';
    const file = await get();
    expect(file).toMatchObject({ bytes: site.body.length, httpStatus: 200 });
    expect((await readFile(file.path)).equals(site.body)).toBe(true);
  });

  it.each([undefined, 'W/"weak"'])('starts anew when the server names no strong validator (%s)', async (etag) => {
    const { get, server, directory } = await bench(storage({ body: PDF, etag, cuts: 1 }));
    await rejection(get());
    expect(await readdir(directory)).toEqual([]);
    expect((await get()).bytes).toBe(PDF.length);
    expect(server.requests[1]?.headers).not.toHaveProperty('range');
  });

  it('starts anew when it is asked for from another place', async () => {
    const { get, server } = await bench(storage({ body: PDF, etag: '"v1"', cuts: 1 }));
    await rejection(get());
    await get(undefined, '/b.pdf');
    expect(server.requests[1]?.headers).not.toHaveProperty('range');
  });

  it('is not put together from what does not fit', async () => {
    let asked = 0;
    const site: Site = { body: PDF, etag: '"v1"', cuts: 1 };
    const good = storage(site);
    const { get } = await bench((request, response) => {
      asked += 1;
      if (asked !== 2) return good(request, response);
      response.writeHead(206, { etag: '"v1"', 'content-range': `bytes 7-${PDF.length - 1}/${PDF.length}` }).end(PDF.subarray(7));
    });
    await rejection(get());
    const file = await get();
    expect(asked).toBe(3);
    expect((await readFile(file.path)).equals(PDF)).toBe(true);
  });

  it('starts anew when the range is refused', async () => {
    let asked = 0;
    const good = storage({ body: PDF, etag: '"v1"', cuts: 1 });
    const { get } = await bench((request, response) => {
      asked += 1;
      if (asked === 2) response.writeHead(416).end();
      else good(request, response);
    });
    await rejection(get());
    expect((await get()).bytes).toBe(PDF.length);
  });

  it('keeps its part while the server has a bad time', async () => {
    let asked = 0;
    const good = storage({ body: PDF, etag: '"v1"', cuts: 1 });
    const { get } = await bench((request, response) => {
      asked += 1;
      if (asked === 2) response.writeHead(503).end();
      else good(request, response);
    });
    await rejection(get());
    expect(await rejection(get())).toMatchObject({ httpStatus: 503 });
    expect((await get()).httpStatus).toBe(206);
  });
});

describe('a download that is stopped', () => {
  it('leaves its part for later', async () => {
    const site: Site = { body: PDF, etag: '"v1"', cuts: 0 };
    const whole = storage(site);
    let hold = true;
    const { get, directory } = await bench((request, response) => {
      if (!hold) return whole(request, response);
      response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': PDF.length, etag: '"v1"' });
      response.write(PDF.subarray(0, HALF), () => setTimeout(() => stop.abort(new Error('drain')), 30));
    });
    const stop = new AbortController();
    expect(await rejection(get(stop.signal))).toMatchObject({ code: 'PS4104', category: 'transient', cause: stop.signal.reason });
    expect((await readdir(directory)).sort()).toEqual(['m-1.part', 'm-1.part.json']);
    hold = false;
    expect(await get()).toMatchObject({ bytes: PDF.length, httpStatus: 206 });
  });

  it('before it began asks nobody', async () => {
    const { get, server } = await bench(storage({ body: PDF, etag: '"v1"', cuts: 0 }));
    const error = await rejection(get(AbortSignal.abort(new Error('drain'))));
    expect(error).toMatchObject({ category: 'transient' });
    expect(server.requests).toEqual([]);
  });
});

describe('a download whose process is killed', () => {
  it('is resumed when it is large: what is needed for that is written before the end', async () => {
    const body = Buffer.concat([Buffer.from('%PDF-1.4\n'), Buffer.alloc(2 * 1024 * 1024, 'abcdefghij')]);
    const whole = storage({ body, etag: '"v1"', cuts: 0 });
    let hold = true;
    const { get, server, directory } = await bench((request, response) => {
      if (!hold) return whole(request, response);
      response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': body.length, etag: '"v1"' });
      response.write(body.subarray(0, HALF));
    });
    const stop = new AbortController();
    const stopped = rejection(get(stop.signal));
    const part = join(directory, 'm-1.part');
    await vi.waitFor(async () => expect((await stat(part)).size).toBe(HALF), { timeout: 5000, interval: 5 });
    // The directory as it is now is what a kill would leave.
    const left = await scratch();
    await cp(directory, left, { recursive: true });
    stop.abort();
    await stopped;
    hold = false;
    const download = createDownloader({ directory: left, allowedHosts: [HOST], resolve: server.resolve, environment: {} });
    const request = { url: `https://${HOST}/a.pdf`, id: 'm-1', extension: 'pdf', attempt: 0 };
    const file = await download(request, new AbortController().signal);
    expect(file).toMatchObject({ bytes: body.length, httpStatus: 206 });
    expect((await readFile(file.path)).equals(body)).toBe(true);
  });
});

describe('openPart', () => {
  it('a part whose notes are broken or missing is not resumed', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'm.part'), 'old');
    await writeFile(join(directory, 'm.part.json'), '{"source":"a","val');
    const part = await openPart(directory, 'm', 'a');
    expect(part.size).toBe(0);
    await part.append(Buffer.from('new'));
    expect(await readFile(await part.finish(), 'utf8')).toBe('new');
    expect(await readdir(directory)).toEqual(['m']);
  });

  it('a part that another process began anew is not taken for this one', async () => {
    const directory = await scratch();
    const first = await openPart(directory, 'm', 'a');
    await first.append(Buffer.alloc(300_000, 'a'));
    const second = await openPart(directory, 'm', 'a');
    await second.append(Buffer.alloc(300_000, 'b'));
    expect(await rejection(first.finish())).toMatchObject({ code: 'PS4104', category: 'transient' });
    expect(await readFile(await second.finish())).toEqual(Buffer.alloc(300_000, 'b'));
  });

  it('small files of one id that two processes fetch at once do not mix', async () => {
    const directory = await scratch();
    const [first, second] = [await openPart(directory, 'm', 'a'), await openPart(directory, 'm', 'a')];
    await first.append(Buffer.from('fir'));
    await second.append(Buffer.from('sec'));
    await first.append(Buffer.from('st'));
    await second.append(Buffer.from('ond'));
    expect(await readFile(await first.finish(), 'utf8')).toBe('first');
    expect(await readFile(await second.finish(), 'utf8')).toBe('second');
    expect(await readdir(directory)).toEqual(['m']);
  });

  it('what a killed process left of the same file gives way', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'm.part'), 'old');
    const part = await openPart(directory, 'm', 'a');
    await part.append(Buffer.from('whole'));
    expect(await readFile(await part.finish(), 'utf8')).toBe('whole');
    expect(await readdir(directory)).toEqual(['m']);
  });

  it('notes whose part is gone say nothing', async () => {
    const directory = await scratch();
    await writeFile(join(directory, 'm.part.json'), JSON.stringify({ source: 'a', value: '"v1"', total: 10 }));
    const part = await openPart(directory, 'm', 'a');
    expect(part).toMatchObject({ size: 0, validator: undefined });
    await part.discard();
    expect(await readdir(directory)).toEqual([]);
  });
});
