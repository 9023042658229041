import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ATTEMPT_HEADER } from '../http/downloader.js';
import { type Attempts, keepAttempts } from './attempts.js';
import { fileOf, isFileType } from './bodies/index.js';
import { DEFAULT_FILE_FAULTS, type FileFaults, misfortune } from './file-faults.js';
import { askedFile, SIMULATOR_HOSTS } from './links.js';

export interface FileServerOptions {
  /** Where the count of attempts lies, such as `state/` of the data directory. */
  readonly directory: string;
  /** The same seed gives every file the same faults. Defaults to 1. */
  readonly seed?: number | string;
  /** Shares that differ from the usual ones; `NO_FILE_FAULTS` for none at all. */
  readonly faults?: Partial<FileFaults>;
  /** Defaults to 0: any free port. */
  readonly port?: number;
  /** How long a slow file takes, in milliseconds. Defaults to 300. */
  readonly slowMs?: number;
}

export interface FileServer {
  /** The stable names that links carry. */
  readonly hosts: readonly string[];
  readonly port: number;
  /** The names, and where they live: what a downloader's `resolve` wants. */
  readonly resolve: Readonly<Record<string, { readonly address: string; readonly port: number }>>;
  close(): Promise<void>;
}

const ADDRESS = '127.0.0.1';
const MOVED = '/moved';

/**
 * Starts the server of simulated files on loopback. Bodies are made from the URL alone; faults from seed, file and attempt, where the
 * attempt is what the client says, else what was counted here.
 */
export async function startFileServer(options: FileServerOptions): Promise<FileServer> {
  const site: Site = {
    seed: options.seed ?? 1,
    faults: { ...DEFAULT_FILE_FAULTS, ...options.faults },
    attempts: keepAttempts(join(options.directory, 'simulator-attempts')),
    slowMs: options.slowMs ?? 300,
  };
  const server = createServer((request, response) => answer(site, request, response));
  server.keepAliveTimeout = 60_000;
  await listen(server, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  return {
    hosts: SIMULATOR_HOSTS,
    port,
    resolve: Object.fromEntries(SIMULATOR_HOSTS.map((host) => [host, { address: ADDRESS, port }])),
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };
}

interface Site {
  readonly seed: number | string;
  readonly faults: FileFaults;
  readonly attempts: Attempts;
  readonly slowMs: number;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, ADDRESS, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function answer(site: Site, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405, 'MethodNotAllowed');
  const url = new URL(request.url ?? '/', `http://${ADDRESS}`);
  const { token, extension } = askedFile(url.pathname);
  if (hasExpired(url, Date.now())) return refuse(response, 403, 'AccessDenied');
  const moved = url.pathname.startsWith(`${MOVED}/`);
  const attempt = attemptOf(request) ?? (moved ? 0 : site.attempts.next(token));
  const { fault, plainType } = misfortune(site.seed, token, attempt, site.faults);
  switch (fault) {
    case 'missing':
      return refuse(response, 404, 'NoSuchKey');
    case 'forbidden':
      return refuse(response, 403, 'AccessDenied');
    case 'unavailable':
      return refuse(response, 503, 'SlowDown');
    case 'redirect_refused':
      return redirect(response, 'http://169.254.169.254/latest/meta-data/');
    case 'redirect':
      if (!moved) return redirect(response, `${MOVED}${url.pathname}${url.search}`);
      break;
    case 'oversize':
      response.writeHead(200, { 'content-type': 'application/pdf', 'content-length': String(4 * 1024 ** 4) });
      response.write('%PDF-1.4\n');
      return;
    case 'impostor':
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<!doctype html><title>Sign in</title><p>Please sign in.');
      return;
    default:
  }
  const { contentType, bytes } = fileOf(isFileType(extension) ? extension : 'pdf', token);
  const { status, headers, body } = portion(request, bytes, `"${token}"`);
  response.writeHead(status, { ...headers, 'content-type': plainType ? 'application/octet-stream' : contentType });
  if (request.method === 'HEAD') response.end();
  else if (fault === 'cut') sendHalf(response, body);
  else if (fault === 'slow') drip(response, body, site.slowMs);
  else response.end(body);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code></Error>`);
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(307, { location, 'content-length': '0' });
  response.end();
}

function attemptOf(request: IncomingMessage): number | undefined {
  const text = request.headers[ATTEMPT_HEADER];
  return typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** Whether the link has run out by its own account. Simulated links hold for years or ended years ago. */
function hasExpired(url: URL, now: number): boolean {
  const date = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(url.searchParams.get('X-Amz-Date') ?? '');
  if (date === null) return false;
  const [year, month, day, hour, minute, second] = date.slice(1).map(Number) as [number, number, number, number, number, number];
  const signed = Date.UTC(year, month - 1, day, hour, minute, second);
  return now >= signed + Number(url.searchParams.get('X-Amz-Expires') ?? 0) * 1000;
}

interface Portion {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The file, or the end of it that was asked for, if what the client has of it is this very file. */
function portion(request: IncomingMessage, bytes: Buffer, tag: string): Portion {
  const headers = { etag: tag, 'accept-ranges': 'bytes' };
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const condition = request.headers['if-range'];
  if (range === null || (condition !== undefined && condition !== tag)) {
    return { status: 200, headers: { ...headers, 'content-length': String(bytes.length) }, body: bytes };
  }
  const from = Number(range[1]);
  if (from >= bytes.length) {
    return {
      status: 416,
      headers: { ...headers, 'content-range': `bytes */${bytes.length}`, 'content-length': '0' },
      body: Buffer.alloc(0),
    };
  }
  const body = bytes.subarray(from);
  const contentRange = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
  return { status: 206, headers: { ...headers, 'content-range': contentRange, 'content-length': String(body.length) }, body };
}

function sendHalf(response: ServerResponse, body: Buffer): void {
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy());
}

function drip(response: ServerResponse, body: Buffer, slowMs: number): void {
  const drops = 6;
  let sent = 0;
  const drop = () => {
    if (response.destroyed) return clearInterval(timer);
    sent += 1;
    response.write(body.subarray(Math.floor((body.length * (sent - 1)) / drops), Math.floor((body.length * sent) / drops)));
    if (sent < drops) return;
    clearInterval(timer);
    response.end();
  };
  const timer = setInterval(drop, slowMs / drops);
}
