import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { attachmentsOf, fieldsOf, readEvent } from '../../src/domains/xact/event.js';
import { createDownloader } from '../../src/http/download.js';
import type { Download } from '../../src/http/downloader.js';
import { PenstockError } from '../../src/diagnostics/index.js';
import {
  type FileFault,
  type FileFaults,
  type FileServer,
  type FileServerOptions,
  NO_EVENT_FAULTS,
  NO_FILE_FAULTS,
  simulate,
  SIMULATOR_HOSTS,
  startFileServer,
} from '../../src/simulator/index.js';

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-simulator-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

interface Bench {
  readonly server: FileServer;
  readonly download: Download;
}

async function bench(options: Partial<FileServerOptions> = {}): Promise<Bench> {
  const directory = options.directory ?? (await scratch());
  const server = await startFileServer({ slowMs: 30, ...options, directory });
  onTestFinished(() => server.close());
  const download = createDownloader({
    directory: join(directory, 'tmp'),
    allowedHosts: SIMULATOR_HOSTS,
    resolve: server.resolve,
    environment: {},
  });
  return { server, download };
}

const only = (fault: FileFault): FileFaults => ({ ...NO_FILE_FAULTS, [fault]: 1 });

const LINKS = [...simulate({ seed: 4, events: 60, faults: NO_EVENT_FAULTS, attachments: 1 })].map(
  (line) => attachmentsOf(fieldsOf(readEvent(line).data)['attachments'])![0]!,
);
const extensionOf = (url: string) => /\.(\w+)$/.exec(new URL(url).pathname)![1]!.toLowerCase();

/** What comes of an attempt, in a word. */
async function attempt(download: Download, url: string, number: number, id = `m-${LINKS.indexOf(url)}`): Promise<string> {
  try {
    const { bytes } = await download({ url, id, extension: extensionOf(url), attempt: number }, new AbortController().signal);
    return `${bytes} bytes`;
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
    return `${error.code} ${error.category} ${error.httpStatus ?? '-'}`;
  }
}

describe('the server of simulated files', () => {
  it('serves every kind of file so that a downloader takes it', async () => {
    const { download, server } = await bench({ faults: NO_FILE_FAULTS });
    const outcomes = await Promise.all(LINKS.map((url) => attempt(download, url, 0)));
    expect(outcomes.filter((outcome) => !outcome.endsWith(' bytes'))).toEqual([]);
    expect(new Set(LINKS.map(extensionOf)).size).toBe(6);
    expect(server.hosts).toEqual(SIMULATOR_HOSTS);
  });

  it.each([
    ['missing', 'PS4104 permanent 404'],
    ['forbidden', 'PS4104 permanent 403'],
    ['oversize', 'PS4106 permanent 200'],
    ['redirect_refused', 'PS4102 permanent 307'],
  ] as const)('%s, at every attempt', async (fault, expected) => {
    const { download } = await bench({ faults: only(fault) });
    // The type of what is refused is announced as PDF.
    const pdfs = LINKS.filter((url) => extensionOf(url) === 'pdf').slice(0, 3);
    for (const url of pdfs) for (const number of [0, 1, 7]) expect(await attempt(download, url, number)).toBe(expected);
  });

  it('impostor: a page is not taken for the document', async () => {
    const { download } = await bench({ faults: only('impostor') });
    for (const url of LINKS) expect(await attempt(download, url, 0)).toMatch(/^PS4103 permanent/);
  });

  it.each(['redirect', 'slow'] as const)('%s: the file comes all the same', async (fault) => {
    const { download } = await bench({ faults: only(fault) });
    const outcomes = await Promise.all(LINKS.slice(0, 5).map((url) => attempt(download, url, 0)));
    for (const outcome of outcomes) expect(outcome).toMatch(/ bytes$/);
  });

  it('unavailable: mostly for an attempt or two, sometimes for good', async () => {
    const { download } = await bench({ faults: only('unavailable') });
    const firsts = await Promise.all(LINKS.map((url) => attempt(download, url, 0)));
    const thirds = await Promise.all(LINKS.map((url) => attempt(download, url, 2)));
    expect(new Set(firsts)).toEqual(new Set(['PS4104 transient 503']));
    expect(thirds.filter((outcome) => outcome.endsWith(' bytes')).length).toBeGreaterThan(30);
    expect(thirds).toContain('PS4104 transient 503');
  });

  it('cut: the next attempts complete what came', async () => {
    const { download } = await bench({ faults: only('cut') });
    for (const url of LINKS.slice(0, 8)) {
      expect(await attempt(download, url, 0)).toBe('PS4104 transient 200');
      expect(await attempt(download, url, 2)).toMatch(/ bytes$/);
    }
  });

  it('what happens depends on seed, file and attempt, not on order, time or what was asked before', async () => {
    const faults = { unavailable: 0.3, cut: 0.2, missing: 0.1 };
    const one = await bench({ seed: 7, faults });
    const forwards = await Promise.all(LINKS.map((url) => attempt(one.download, url, 0, `one-${LINKS.indexOf(url)}`)));
    const other = await bench({ seed: 7, faults });
    const backwards: string[] = [];
    for (const url of [...LINKS].reverse()) backwards.unshift(await attempt(other.download, url, 0, `other-${LINKS.indexOf(url)}`));
    expect(backwards).toEqual(forwards);
    const again = await Promise.all(LINKS.map((url) => attempt(one.download, url, 0, `again-${LINKS.indexOf(url)}`)));
    expect(again).toEqual(forwards);
    const foreign = await bench({ seed: 8, faults });
    expect(await Promise.all(LINKS.map((url) => attempt(foreign.download, url, 0)))).not.toEqual(forwards);
  });

  it('counts attempts of clients that do not say, over a restart too', async () => {
    const directory = await scratch();
    const { pathname, search } = new URL(LINKS[0]!);
    const ask = async (server: FileServer) => (await fetch(`http://127.0.0.1:${server.port}${pathname}${search}`)).status;
    const first = await startFileServer({ directory, faults: only('unavailable'), seed: 2 });
    expect(await ask(first)).toBe(503);
    await first.close();
    const second = await startFileServer({ directory, faults: only('unavailable'), seed: 2 });
    onTestFinished(() => second.close());
    const statuses = [await ask(second), await ask(second)];
    expect(statuses.at(-1)).toBe(200);
  });

  it('links that have expired are forbidden', async () => {
    const { server } = await bench({ faults: NO_FILE_FAULTS });
    const url = new URL(LINKS[0]!);
    url.searchParams.set('X-Amz-Date', '20200101T000000Z');
    url.searchParams.set('X-Amz-Expires', '900');
    expect((await fetch(`http://127.0.0.1:${server.port}${url.pathname}${url.search}`)).status).toBe(403);
  });

  it('listens on this machine only, and says when its port is taken', async () => {
    const { server } = await bench();
    expect(server.resolve[SIMULATOR_HOSTS[0]]).toEqual({ address: '127.0.0.1', port: server.port });
    await expect(startFileServer({ directory: await scratch(), port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
