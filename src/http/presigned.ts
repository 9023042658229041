/** Hosts whose links carry `systemDate` and `expires`. */
const CLAIMX_HOST = /(^|\.)claimxperience\.com$/;

const MALFORMED = { signed_at: null, expires_at: null, ttl_seconds: null, parse_error: true } as const;
const UNSIGNED = { signed_at: null, expires_at: null, ttl_seconds: null, parse_error: false } as const;

/** The last instant with a year of four digits. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** What a link says about its own lifetime. Instants are milliseconds since 1970. */
export interface Presigned {
  readonly url_type: 's3' | 'claimx' | 'unknown';
  readonly is_presigned: boolean;
  /** Its end has come. A link that does not say when is not expired. */
  readonly is_expired: boolean;
  readonly signed_at: number | null;
  readonly expires_at: number | null;
  readonly ttl_seconds: number | null;
  /** It is presigned, but its fields are missing or cannot be read. */
  readonly parse_error: boolean;
  /** Whole seconds to its end, negative behind it; none when there is no end. */
  readonly seconds_remaining: number | null;
}

/**
 * Reads a link's lifetime at an instant. Its kind is decided by its host and by the names of its parameters, never by text elsewhere in it. Whoever
 * has parsed it already tells the host.
 */
export function inspectPresigned(url: string, now: number, hostname = hostnameOf(url)): Presigned {
  const kind = kindOf(url, hostname.toLowerCase());
  const life = kind === 'unknown' ? UNSIGNED : kind === 's3' ? s3Life(parametersOf(url)) : claimxLife(parametersOf(url));
  const remainingMs = life.expires_at === null ? null : life.expires_at - now;
  return {
    url_type: kind,
    is_presigned: kind !== 'unknown',
    is_expired: remainingMs !== null && remainingMs <= 0,
    ...life,
    seconds_remaining: remainingMs === null ? null : Math.trunc(remainingMs / 1000),
  };
}

/** Whether a link ends within so many seconds of an instant; never when it has no end. */
export function expiresWithin(link: Pick<Presigned, 'expires_at'>, seconds: number, now: number): boolean {
  return link.expires_at !== null && link.expires_at - now <= seconds * 1000;
}

const S3_PARAMETER = /[?#&;](?:amp;)?x-amz-(?:expires|date)(?:[=&#;]|$)/i;

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}

function kindOf(url: string, host: string): Presigned['url_type'] {
  if (CLAIMX_HOST.test(host)) return 'claimx';
  return S3_PARAMETER.test(url) ? 's3' : 'unknown';
}

/** The query's parameters by name in small letters; the first of a name counts, and an empty one does not. */
function parametersOf(url: string): ReadonlyMap<string, string> {
  const query = /\?([^#]*)/.exec(url)?.[1] ?? '';
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query)) {
    const key = name.toLowerCase();
    if (value !== '' && !parameters.has(key)) parameters.set(key, value);
  }
  return parameters;
}

type Life = Pick<Presigned, 'signed_at' | 'expires_at' | 'ttl_seconds' | 'parse_error'>;

const AMAZON_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/i;

function s3Life(parameters: ReadonlyMap<string, string>): Life {
  const date = AMAZON_DATE.exec(parameters.get('x-amz-date') ?? '');
  const ttl = wholeNumber(parameters.get('x-amz-expires'));
  if (date === null || ttl === undefined) return MALFORMED;
  const [year, month, day, hour, minute, second] = date.slice(1).map(Number) as [number, number, number, number, number, number];
  const signed = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const exists = signed.getUTCMonth() === month - 1 && signed.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  return exists ? lifeOf(signed.getTime(), ttl * 1000, ttl) : MALFORMED;
}

function claimxLife(parameters: ReadonlyMap<string, string>): Life {
  const signed = wholeNumber(parameters.get('systemdate'));
  const ttlMs = wholeNumber(parameters.get('expires'));
  return signed === undefined || ttlMs === undefined ? MALFORMED : lifeOf(signed, ttlMs, Math.floor(ttlMs / 1000));
}

function lifeOf(signedMs: number, ttlMs: number, ttlSeconds: number): Life {
  const expiresMs = signedMs + ttlMs;
  if (Math.abs(signedMs) > LAST_MS || Math.abs(expiresMs) > LAST_MS) return MALFORMED;
  return { signed_at: signedMs, expires_at: expiresMs, ttl_seconds: ttlSeconds, parse_error: false };
}

function wholeNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*[+-]?\d{1,30}\s*$/.test(text)) return undefined;
  return Number(text);
}
