/** What stands where a secret stood. */
export const REDACTED = '[REDACTED]';

/** Names of parameters whose values are secrets: signatures, tokens, keys, passwords. Compared without case, `-` as `_`. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'sig',
  'signature',
  'sv',
  'se',
  'st',
  'sp',
  'sr',
  'spr',
  'x_amz_signature',
  'x_amz_credential',
  'x_amz_security_token',
  'token',
  'access_token',
  'refresh_token',
  'id_token',
  'api_key',
  'apikey',
  'x_api_key',
  'key',
  'secret',
  'client_secret',
  'password',
  'passwd',
  'pwd',
  'auth',
  'authorization',
  'proxy_authorization',
  'cookie',
  'set_cookie',
]);

/** Whether a field, header or parameter of this name holds a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase().replaceAll('-', '_'));
}

/** The shortest value of a fragment that can be a credential; a shorter one is an anchor. */
const SHORTEST_FRAGMENT = 4;

/** A URL whose secrets are replaced: parameters of the query and of the fragment that have a secret's name, and user info. All else stays, letter for letter. */
export function redactUrl(url: string): string {
  const [, address = '', query, fragment] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/su.exec(url) ?? [];
  const plain = address.replace(USER_INFO, `$1${REDACTED}@`);
  const asked = query === undefined ? '' : `?${redactPairs(query, 0)}`;
  return `${plain}${asked}${fragment === undefined ? '' : `#${redactPairs(fragment, SHORTEST_FRAGMENT)}`}`;
}

function redactPairs(pairs: string, shortest: number): string {
  return pairs
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=');
      if (equals === -1) return pair;
      const name = pair.slice(0, equals);
      return isSecretName(decoded(name).replace(/^amp;/i, '')) && pair.length - equals > shortest ? `${name}=${REDACTED}` : pair;
    })
    .join('&');
}

function decoded(name: string): string {
  if (!name.includes('%')) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // not percent-encoded after all: the name is what is written
  }
}

const USER_INFO = /(\b[a-z][a-z0-9+.-]{0,30}:\/\/)[^/\s?#@]{1,1000}@/gi;
const URLS = /\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s"'<>]+/gi;

// A word that ends in a secret's name, `=`, and what follows up to a separator.
const ASSIGNED =
  /\b((?:[\w-]{0,32}[_-])?(?:sig|signature|x-amz-credential|security-token|token|api[_-]?key|key|secret|password|passwd|pwd|auth|authorization)|account_?key|shared_?access_?(?:key|signature)|s[vetpr]|spr)=(?!\[REDACTED\])[^\s&,;"'<>()[\]{}]*/gi;
// The same as JSON or as Python writes it.
const QUOTED =
  /((["'])(?:[\w-]{0,32}[_-])?(?:sig|signature|token|api[_-]?key|key|secret|password|passwd|pwd|auth|authorization|credential|cookie)\2\s*:\s*)(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/gi;
// A header or a sentence: only names that nobody uses in a sentence, or a value with a digit in it.
const NAMED =
  /\b((?:[\w-]{0,32}[_-])?(?:api[_-]?key|secret|password|passwd|pwd|authorization)\s*:\s*)(?!\[REDACTED\])(?:(?:bearer|basic|digest|negotiate)\s+)?[^\s&,;"'<>]+/gi;
const WITH_DIGIT = /\b((?:[\w-]{0,32}[_-])?(?:token|key|signature|cookie)\s*:\s*)(?=[^\s&,;"'<>]*\d)[^\s&,;"'<>]{6,}/gi;
const BEARER = /\b(bearer\s+)(?!\[REDACTED\])[^\s,;"'<>]+/gi;
const BASIC = /\b((?:basic|Basic|BASIC)\s+)(?=[\w+/-]{0,512}[\d=]|[\w+/-][\w+/-]{0,512}[A-Z])[\w+/-]{8,}={0,2}/g;
const CLOUD_KEY = /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g;

/** A text in which no secret is left that can be told by its form; cut to `maxLength` characters, the last three dots. Defaults to no limit. */
export function redactText(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  const clean = text
    .replace(URLS, redactUrl)
    .replace(USER_INFO, `$1${REDACTED}@`)
    .replace(QUOTED, `$1"${REDACTED}"`)
    .replace(NAMED, `$1${REDACTED}`)
    .replace(WITH_DIGIT, `$1${REDACTED}`)
    .replace(ASSIGNED, `$1=${REDACTED}`)
    .replace(BEARER, `$1${REDACTED}`)
    .replace(BASIC, `$1${REDACTED}`)
    .replace(CLOUD_KEY, REDACTED);
  return cut(clean, maxLength);
}

function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const characters = Array.from(text);
  return characters.length <= maxLength ? text : `${characters.slice(0, Math.max(0, maxLength - 3)).join('')}...`;
}
