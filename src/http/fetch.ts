import { PenstockError } from '../diagnostics/index.js';
import type { ResolveHost } from './addresses.js';
import { createClient, type HostMap } from './client.js';
import type { Fetch } from './downloader.js';
import { type TlsPolicy, tlsFromEnvironment } from './tls.js';

export interface FetchOptions {
  /** Hosts that may have an address that is not public, such as services inside the own network. Defaults to none. */
  readonly trustedHosts?: readonly string[];
  /** Hosts that are reached at a fixed address over plain HTTP, for simulators. Refused in production. */
  readonly resolve?: HostMap;
  /** Whether this is production. Defaults to false. */
  readonly production?: boolean;
  /** In milliseconds. Defaults to 10 000. */
  readonly connectTimeoutMs?: number;
  /** What is kept of an answer's body; the rest is not read. Defaults to 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Variables that TLS reads. Defaults to those of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Defaults to what the environment says. */
  readonly tls?: TlsPolicy;
  /** Resolves host names. Defaults to the system's resolver. */
  readonly resolveHost?: ResolveHost;
}

/**
 * Makes the function that calls other people's services.
 *
 * An answer of any status is an answer; redirects are answers too and are not followed, so that credentials go nowhere but where they were
 * sent. Addresses that are not public are refused unless the host is trusted or mapped. The time limit covers the whole call.
 *
 * Rejects with a `PenstockError`: `PS4102` (permanent) when the URL or its address is refused, `PS4002` (transient) when no answer came.
 */
export function createFetch(options: FetchOptions = {}): Fetch {
  const { production = false, environment = process.env, resolve = {}, maxBodyBytes = 1024 * 1024 } = options;
  if (production && Object.keys(resolve).length > 0) {
    throw new PenstockError('PS1302', 'http.resolve is for simulators and is refused in production', { category: 'permanent' });
  }
  const trusted = new Set(options.trustedHosts?.map((host) => host.toLowerCase()));
  const client = createClient({
    failure: 'PS4002',
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    tls: options.tls ?? tlsFromEnvironment(environment, { production }),
    resolve,
    trusts: (hostname) => trusted.has(hostname),
    resolveHost: options.resolveHost,
  });

  return async ({ url: text, method, headers, body, timeoutMs }, signal) => {
    const url = admit(text);
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
    const joined = signal === undefined ? limit.signal : AbortSignal.any([limit.signal, signal]);
    try {
      const answer = await client.send({ url, method, headers, body, responseTimeoutMs: timeoutMs, signal: joined });
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of answer.body) {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= maxBodyBytes) break;
      }
      return { status: answer.status, headers: answer.headers, body: Buffer.concat(chunks).subarray(0, maxBodyBytes) };
    } catch (error) {
      if (!limit.signal.aborted) throw error;
      throw new PenstockError('PS4002', `${url.host} gave no whole answer within ${timeoutMs} ms`, { category: 'transient', cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
}

function admit(text: string): URL {
  if (!URL.canParse(text)) throw refused('it cannot be read');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refused(`its scheme is ${url.protocol.slice(0, -1)}`);
  if (url.username !== '' || url.password !== '') throw refused('it carries credentials');
  return url;
}

function refused(why: string): PenstockError {
  return new PenstockError('PS4102', `the URL is refused: ${why}`, { category: 'permanent' });
}
