import { type ClientRequest, Agent as HttpAgent, type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import got, { type Method, type NativeRequestOptions, type OptionsInit, type Request, RequestError } from 'got';
import { type Code, PenstockError } from '../diagnostics/index.js';
import { publicLookup, refusePrivateLiteral, type ResolveHost, resolveBySystem } from './addresses.js';
import type { TlsPolicy } from './tls.js';

/** Hosts that are reached at a fixed address over plain HTTP, whatever their URL says. */
export type HostMap = Readonly<Record<string, { readonly address: string; readonly port: number }>>;

export interface ClientOptions {
  /** What failures of this client are called. */
  readonly failure: Code;
  readonly connectTimeoutMs: number;
  readonly tls: TlsPolicy;
  /** Defaults to none. */
  readonly resolve?: HostMap | undefined;
  /** Whether a host may have an address that is not public. Defaults to none. */
  readonly trusts?: ((hostname: string) => boolean) | undefined;
  /** Defaults to the system's resolver. */
  readonly resolveHost?: ResolveHost | undefined;
}

export interface Call {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | undefined;
  /** How long the answer's head may take after the request is out. */
  readonly responseTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The head of an answer, and its body still to come. Whoever gets it reads the body to its end or calls `close`. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes as sent: nothing is decompressed. Iterating rejects with a `PenstockError`. */
  readonly body: AsyncIterable<Buffer>;
  /** Gives the body up; one who is reading it then gets `reason`. */
  close(reason?: PenstockError): void;
}

/** One request, one answer: no retry, no redirect, no judgement of the status. */
export interface Client {
  send(call: Call): Promise<Answer>;
  /** Whether the host has a fixed address here. */
  mapped(hostname: string): boolean;
  close(): void;
}

/**
 * Makes the one HTTP client that others in this room stand on.
 *
 * It never reaches an address that is not public, unless the host is mapped or trusted: literals are judged in the URL, names when the
 * socket asks for their addresses. It opens its own connections, so that no proxy of the environment resolves names in its place.
 */
export function createClient({
  failure,
  connectTimeoutMs,
  tls,
  resolve = {},
  trusts,
  resolveHost = resolveBySystem,
}: ClientOptions): Client {
  const hosts = new Map(Object.entries(resolve).map(([host, place]) => [host.toLowerCase(), place]));
  const guarded = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };
  const open = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };
  const dnsLookup = publicLookup(resolveHost);
  const https: NonNullable<OptionsInit['https']> = {
    rejectUnauthorized: tls.rejectUnauthorized,
    ...(tls.certificateAuthority === undefined ? {} : { certificateAuthority: [...tls.certificateAuthority] }),
  };
  // What is the same for all is said once: the library copies and checks each option of a call.
  const library = got.extend({
    headers: { 'user-agent': 'penstock', 'accept-encoding': 'identity' },
    https,
    timeout: { lookup: connectTimeoutMs, connect: connectTimeoutMs, secureConnect: connectTimeoutMs },
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
    request: plainRequest,
  });

  const send = async ({ url, method, headers, body, responseTimeoutMs, signal }: Call): Promise<Answer> => {
    const place = hosts.get(url.hostname);
    const trusted = place !== undefined || trusts?.(url.hostname) === true;
    if (!trusted) refusePrivateLiteral(url);
    if (signal?.aborted === true) throw stopped(failure, signal);
    const stream = library.stream(place === undefined ? url : `http://${place.address}:${place.port}${url.pathname}${url.search}`, {
      method: method as Method,
      headers: place === undefined ? headers : { ...headers, host: url.host },
      // Without a body the library would wait for one to be written.
      ...(BODILESS.has(method) ? {} : { body: body ?? '' }),
      agent: trusted ? open : guarded,
      ...(trusted ? {} : { dnsLookup }),
      timeout: { response: responseTimeoutMs },
    });
    const abort = () => stream.destroy(signal === undefined ? undefined : stopped(failure, signal));
    signal?.addEventListener('abort', abort, { once: true });
    const forget = () => signal?.removeEventListener('abort', abort);
    try {
      const head = await headOf(stream);
      return {
        status: head.status,
        headers: head.headers,
        body: bytesOf(stream, failure, head.status, forget),
        close: (reason) => {
          forget();
          // A body that nobody reads any more may still fail; that failure has no reader either.
          stream.on('error', ignore).destroy(reason);
        },
      };
    } catch (error) {
      forget();
      throw asFailure(error, failure, undefined);
    }
  };

  return {
    send,
    mapped: (hostname) => hosts.has(hostname),
    close: () => {
      for (const agent of [guarded.http, guarded.https, open.http, open.https]) agent.destroy();
    },
  };
}

/**
 * Hands Node the options that are in use here and no others: the library names forty, and Node copies all it is given several times for each request.
 */
function plainRequest(url: URL, options: NativeRequestOptions): ClientRequest {
  const { method, headers, agent, lookup, setHost } = options;
  const used = { method, headers, agent, setHost, ...(lookup === undefined ? {} : { lookup }) };
  if (url.protocol === 'http:') return httpRequest(url, used);
  const { ca, rejectUnauthorized, checkServerIdentity } = options;
  return httpsRequest(url, { ...used, rejectUnauthorized, checkServerIdentity, ...(ca === undefined ? {} : { ca }) });
}

/** Requests of these never have a body. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

function headOf(stream: Request): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>> }> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.once('response', (response: { readonly statusCode: number; readonly headers: IncomingHttpHeaders }) => {
      stream.off('error', reject);
      // Between the head and the first read an error must find a listener; the stream keeps it for the reader.
      stream.on('error', ignore);
      resolve({ status: response.statusCode, headers: plainHeaders(response.headers) });
    });
  });
}

async function* bytesOf(stream: Request, failure: Code, status: number, done: () => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw asFailure(error, failure, status);
  } finally {
    done();
  }
}

function ignore(): void {
  // Heard on purpose: the reader of the stream gets the same error.
}

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}

/** Turns what the HTTP library throws into ours. What we threw ourselves inside it (a refused address, a stop) comes out again as it was. */
function asFailure(error: unknown, failure: Code, status: number | undefined): PenstockError {
  let root: unknown = error;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof PenstockError) return cause;
    root = cause;
  }
  const text = error instanceof Error ? error.message : String(error);
  return new PenstockError(failure, `the connection failed: ${text}`, {
    category: 'transient',
    cause: root instanceof RequestError ? withoutRequest(root) : root,
    httpStatus: status,
  });
}

/** The library's error without the request that hangs on it: that one has the whole URL, signature and all. */
function withoutRequest({ message, code, stack }: RequestError): Error {
  const plain = Object.assign(new Error(message), { code });
  if (stack !== undefined) plain.stack = stack;
  return plain;
}

function stopped(failure: Code, signal: AbortSignal): PenstockError {
  return new PenstockError(failure, 'stopped before it was done', { category: 'transient', cause: signal.reason });
}
