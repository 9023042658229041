import { PenstockError } from '../diagnostics/index.js';
import type { ResolveHost } from './addresses.js';
import { type Answer, createClient, type HostMap } from './client.js';
import { contentTypeProblem, extensionProblem, magicProblem } from './content-rules.js';
import { ATTEMPT_HEADER, type Download, type Downloaded, type DownloadRequest } from './downloader.js';
import { openPart, type PartFile, type Validator } from './part-file.js';
import { inspectPresigned } from './presigned.js';
import { categoryOfStatus, retryAfterMs } from './status.js';
import { type TlsPolicy, tlsFromEnvironment } from './tls.js';
import { createTransferWatch, type TransferWatch } from './transfer-watch.js';
import { validateUrl } from './url-policy.js';

export interface DownloaderOptions {
  /** Where parts and finished files lie; made when needed. */
  readonly directory: string;
  /** Hosts that files may come from. Defaults to the built-in list. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Admits plain HTTP to this machine, for development. Defaults to false; refused in production. */
  readonly allowLocalhost?: boolean;
  /** Hosts that are reached at a fixed address over plain HTTP, for simulators. Refused in production. */
  readonly resolve?: HostMap;
  /** Whether this is production: `resolve` and unverified TLS are refused then. Defaults to false. */
  readonly production?: boolean;
  /** The largest file. Defaults to 1 GiB. */
  readonly maxBytes?: number;
  /** The longest silence of a server, in milliseconds. Defaults to 30 000. */
  readonly idleTimeoutMs?: number;
  /** The least average speed over a window of `speedWindowMs`. Defaults to 1024; 0 turns it off. */
  readonly minBytesPerSecond?: number;
  /** In milliseconds. Defaults to 30 000. */
  readonly speedWindowMs?: number;
  /** How long name, connection and TLS may each take, in milliseconds. Defaults to 10 000. */
  readonly connectTimeoutMs?: number;
  /** The most redirects followed. Defaults to 5. */
  readonly maxRedirects?: number;
  /** Variables that URL policy and TLS read. Defaults to those of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Defaults to what the environment says. */
  readonly tls?: TlsPolicy;
  /** Resolves host names. Defaults to the system's resolver. */
  readonly resolveHost?: ResolveHost;
  /** The clock, in milliseconds since 1970. Defaults to `Date.now`. */
  readonly now?: () => number;
}

/** A file of this size or larger notes how to resume it before it has failed, so that a killed process can go on with it. */
const LARGE_BYTES = 1024 * 1024;
const HEAD_BYTES = 4096;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Makes the function that fetches files.
 *
 * The URL and every redirect must pass the URL policy; no address that is not public is reached, whatever a name resolves to. An S3 link that
 * has expired is refused without a request. The bytes go to `<id>.part` as they come and are renamed when they are complete and fit
 * their extension. An attempt that was cut or stopped leaves its part, and the next goes on from there if the server's file is still
 * the same. There is no limit on the whole time, but on silence and on slowness. Nothing is retried here, and nothing is
 * synced to disk: whoever stores the file away makes it durable.
 *
 * Rejects with a `PenstockError`: `PS4102` a URL or address is refused, `PS4103` the content does not fit, `PS4105` the link has expired,
 * `PS4106` too large (all permanent); `PS3002` the disk is full; `PS4104` anything else, by its category.
 */
export function createDownloader(options: DownloaderOptions): Download {
  const { production = false, environment = process.env, now = Date.now, idleTimeoutMs = 30_000, resolve = {} } = options;
  if (production && Object.keys(resolve).length > 0) {
    throw new PenstockError('PS1302', 'http.resolve is for simulators and is refused in production', { category: 'permanent' });
  }
  const client = createClient({
    failure: 'PS4104',
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    tls: options.tls ?? tlsFromEnvironment(environment, { production }),
    resolve,
    trusts: options.allowLocalhost === true ? isLocalName : undefined,
    resolveHost: options.resolveHost,
  });
  const watch = createTransferWatch({
    idleTimeoutMs,
    minBytesPerSecond: options.minBytesPerSecond ?? 1024,
    windowMs: options.speedWindowMs ?? 30_000,
    now,
  });
  const maxBytes = options.maxBytes ?? 1024 ** 3;
  const maxRedirects = options.maxRedirects ?? 5;

  const admit = (text: string, httpStatus?: number): URL => {
    const verdict = validateUrl(text, {
      allowedHosts: options.allowedHosts,
      allowLocalhost: options.allowLocalhost ?? false,
      environment,
    });
    if (verdict.accepted) return new URL(text);
    const what = httpStatus === undefined ? 'the URL' : 'the redirect to';
    throw new PenstockError('PS4102', `${what} ${placeOf(text)} is refused: ${verdict.reason}`, { category: 'permanent', httpStatus });
  };

  /** Asks for the file, from where the part ends, and follows redirects. */
  const ask = async (start: URL, part: PartFile, request: DownloadRequest, signal: AbortSignal): Promise<Answer> => {
    const range = part.validator === undefined ? {} : { range: `bytes=${part.size}-`, 'if-range': part.validator.value };
    let url = start;
    for (let hops = 0; ; hops += 1) {
      const headers = client.mapped(url.hostname) ? { ...range, [ATTEMPT_HEADER]: String(request.attempt) } : range;
      const answer = await client.send({ url, method: 'GET', headers, responseTimeoutMs: idleTimeoutMs, signal });
      const location = answer.headers['location'];
      if (!REDIRECTS.has(answer.status) || location === undefined) return answer;
      answer.close();
      if (hops >= maxRedirects) {
        throw failed(`more than ${maxRedirects} redirects`, { category: 'permanent', httpStatus: answer.status });
      }
      url = admit(absolute(location, url), answer.status);
    }
  };

  return async (request, signal) => {
    const url = admit(request.url);
    refuseExtension(request.extension);
    refuseExpired(request.url, url, now());
    const part = await openPart(options.directory, request.id, placeIn(url));
    try {
      let answer = await ask(url, part, request, signal);
      if (answer.status === 416 || (answer.status === 206 && !continues(answer, part))) {
        // The part is not a beginning of what the server has now.
        answer.close();
        await part.restart();
        answer = await ask(url, part, request, signal);
      }
      return await receive({ answer, part, request, maxBytes, watch, now });
    } catch (error) {
      if (error instanceof PenstockError && error.category !== 'permanent' && part.validator !== undefined && part.size > 0)
        await part.keep();
      else await part.discard();
      throw error;
    }
  };
}

interface Receiving {
  readonly answer: Answer;
  readonly part: PartFile;
  readonly request: DownloadRequest;
  readonly maxBytes: number;
  readonly watch: TransferWatch;
  readonly now: () => number;
}

/** Judges the head of the answer, takes its body in and finishes the file. */
async function receive({ answer, part, request, maxBytes, watch, now }: Receiving): Promise<Downloaded> {
  const { status, headers } = answer;
  const contentType = headers['content-type'];
  try {
    if (status !== 200 && status !== 206) throw statusFailure(answer, now());
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity' && encoding !== '') {
      throw misfit(`the server sent content-encoding ${encoding} although none was asked for`, status);
    }
    const problem = contentTypeProblem(request.extension, contentType);
    if (problem !== undefined) throw misfit(problem, status);
    if (status === 200 && part.size > 0) await part.restart();
    const total = totalOf(answer, part.size);
    if (total !== undefined && total > maxBytes) throw tooLarge(`${total} bytes are announced`, maxBytes, status);
    await takeIn({ answer, part, maxBytes, watch, validator: validatorOf(headers, total) });
    if (part.size === 0) throw failed('the file is empty', { category: 'transient', httpStatus: status });
    if (total !== undefined && part.size !== total) {
      throw failed(`${part.size} bytes came of the ${total} announced`, { category: 'transient', httpStatus: status });
    }
    const mismatch = magicProblem(request.extension, await part.head(HEAD_BYTES));
    if (mismatch !== undefined) throw misfit(mismatch, status);
  } catch (error) {
    answer.close();
    throw error;
  }
  const bytes = part.size;
  return { path: await part.finish(), bytes, contentType, httpStatus: status };
}

interface TakingIn {
  readonly answer: Answer;
  readonly part: PartFile;
  readonly maxBytes: number;
  readonly watch: TransferWatch;
  readonly validator: Validator | undefined;
}

async function takeIn({ answer, part, maxBytes, watch, validator }: TakingIn): Promise<void> {
  const total = validator?.total;
  const noteFirst = validator !== undefined && (total === undefined || total >= LARGE_BYTES);
  if (noteFirst) await part.remember(validator);
  const transfer = watch.start((why) => answer.close(failed(why, { category: 'transient', httpStatus: answer.status })));
  try {
    for await (const chunk of answer.body) {
      transfer.received(chunk.length);
      if (part.size + chunk.length > maxBytes) throw tooLarge('more bytes come', maxBytes, answer.status);
      const appended = part.append(chunk);
      if (appended === undefined) continue;
      transfer.pause();
      await appended;
      transfer.resume();
    }
  } catch (error) {
    if (validator !== undefined && !noteFirst && part.size > 0) await part.remember(validator);
    throw error;
  } finally {
    transfer.done();
  }
}

function refuseExtension(extension: string): void {
  const problem = extensionProblem(extension);
  if (problem !== undefined) throw misfit(problem, undefined);
}

function refuseExpired(text: string, url: URL, now: number): void {
  const link = inspectPresigned(text, now, url.hostname);
  if (link.url_type !== 's3' || !link.is_expired) return;
  throw new PenstockError('PS4105', `the link to ${placeIn(url)} has expired`, { category: 'permanent' });
}

function statusFailure(answer: Answer, now: number): PenstockError {
  const category = categoryOfStatus(answer.status);
  return failed(`the server answered ${answer.status}`, {
    category,
    httpStatus: answer.status,
    retryAfterMs: category === 'transient' ? retryAfterMs(answer.headers['retry-after'], now) : undefined,
  });
}

/** Whether a partial answer begins where the part ends. */
function continues(answer: Answer, part: PartFile): boolean {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers['content-range'] ?? '');
  if (part.validator === undefined || range === null || Number(range[1]) !== part.size) return false;
  return range[2] === '*' || part.validator.total === undefined || Number(range[2]) === part.validator.total;
}

/** How large the whole file will be, when the answer says it. */
function totalOf({ status, headers }: Answer, from: number): number | undefined {
  const length = headers['content-length'];
  if (length !== undefined && /^\d+$/.test(length)) return Number(length) + (status === 206 ? from : 0);
  const range = /\/(\d+)$/.exec(headers['content-range'] ?? '');
  return status === 206 && range !== null ? Number(range[1]) : undefined;
}

/** What a later attempt may resume by: a strong entity tag, else a modification date (RFC 9110 §13.1.5). */
function validatorOf(headers: Readonly<Record<string, string>>, total: number | undefined): Validator | undefined {
  const tag = headers['etag'];
  const value = tag?.startsWith('"') === true ? tag : headers['last-modified'];
  return value === undefined || headers['accept-ranges'] === 'none' ? undefined : { value, total };
}

function absolute(location: string, from: URL): string {
  return URL.canParse(location, from.href) ? new URL(location, from).href : location;
}

function isLocalName(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname.endsWith('-simulation');
}

/** Host and path of a URL, without what may be secret in it. */
function placeOf(text: string): string {
  return URL.canParse(text) ? placeIn(new URL(text)) : 'that cannot be read';
}

function placeIn({ host, pathname }: URL): string {
  return `${host}${pathname}`.slice(0, 200);
}

interface FailureDetails {
  readonly category: 'transient' | 'permanent' | 'auth' | 'unknown' | 'circuit_open';
  readonly httpStatus?: number | undefined;
  readonly retryAfterMs?: number | undefined;
}

function failed(why: string, details: FailureDetails): PenstockError {
  return new PenstockError('PS4104', why, details);
}

function misfit(why: string, httpStatus: number | undefined): PenstockError {
  return new PenstockError('PS4103', why, { category: 'permanent', httpStatus });
}

function tooLarge(why: string, maxBytes: number, httpStatus: number): PenstockError {
  return new PenstockError('PS4106', `${why}; ${maxBytes} are allowed`, { category: 'permanent', httpStatus });
}
