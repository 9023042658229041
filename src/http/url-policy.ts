import { isPublicAddress, literalAddress } from './addresses.js';

/** The hosts that attachments come from when nothing else is configured; compared whole, without wildcards. */
export const DEFAULT_ALLOWED_HOSTS: readonly string[] = [
  'usw2-prod-xn-exportreceiver-publish.s3.us-west-2.amazonaws.com',
  'claimxperience.s3.amazonaws.com',
  'claimxperience.s3.us-east-1.amazonaws.com',
  'www.claimxperience.com',
  'claimxperience.com',
  'xactware-claimx-us-prod.s3.us-west-1.amazonaws.com',
];

/** Hosts that are refused even when somebody allows them. */
const BLOCKED_HOSTS: ReadonlySet<string> = new Set([
  'localhost',
  '127.0.0.1',
  '0.0.0.0',
  'metadata.google.internal',
  'metadata.aws.internal',
  '169.254.169.254',
]);

const PRODUCTION_VARIABLES = ['ENVIRONMENT', 'DEPLOYMENT_ENV', 'APP_ENV'];
const PRODUCTION_WORDS = ['production', 'prod', 'live'];
const FOREIGN_SCHEMES = ['file://', 'dict://', 'gopher://', 'ftp://', 'tftp://'];

export type UrlRefusal =
  | 'empty'
  | 'invalid_format'
  | 'no_hostname'
  | 'localhost_mode_in_production'
  | 'localhost_scheme'
  | 'path_traversal'
  | 'user_info'
  | 'suspicious_query'
  | 'scheme'
  | 'not_https'
  | 'port'
  | 'blocked_host'
  | 'private_ip'
  | 'not_in_allow_list';

export interface UrlPolicy {
  /** The hosts that are allowed, in small letters. Defaults to the list in `ALLOWED_ATTACHMENT_DOMAINS`, else to `DEFAULT_ALLOWED_HOSTS`. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Lets `localhost`, `127.0.0.1` and hosts that end in `-simulation` pass, by http too. Refused in production. Defaults to false. */
  readonly allowLocalhost?: boolean | undefined;
  /** The environment's variables. Defaults to none. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

export type UrlVerdict = { readonly accepted: true } | { readonly accepted: false; readonly reason: UrlRefusal };

const ACCEPTED: UrlVerdict = { accepted: true };

function refused(reason: UrlRefusal): UrlVerdict {
  return { accepted: false, reason };
}

/** Whether the environment's variables speak of production. */
export function isProduction(environment: Readonly<Record<string, string | undefined>>): boolean {
  return PRODUCTION_VARIABLES.some((name) => {
    const value = environment[name]?.toLowerCase() ?? '';
    return PRODUCTION_WORDS.some((word) => value.includes(word));
  });
}

/** The hosts that may be asked for attachments. */
export function allowedHostsOf({ allowedHosts, environment = {} }: UrlPolicy): readonly string[] {
  if (allowedHosts !== undefined) return allowedHosts;
  const listed = environment['ALLOWED_ATTACHMENT_DOMAINS'];
  if (listed === undefined || listed === '') return DEFAULT_ALLOWED_HOSTS;
  return listed
    .split(',')
    .map((host) => host.trim().toLowerCase())
    .filter((host) => host !== '');
}

/**
 * Whether an attachment may be fetched from a URL, by its text alone: https, no credentials, no port of its own, a host on the list. Hosts that
 * are addresses must be public ones; names are looked up, and judged again, when the connection is made. Every redirect is judged like this too.
 */
export function validateUrl(text: string, policy: UrlPolicy = {}): UrlVerdict {
  if (text === '') return refused('empty');
  if (!URL.canParse(text)) return refused('invalid_format');
  const url = new URL(text);
  const host = url.hostname.toLowerCase();
  if (host === '') return refused('no_hostname');
  if (policy.allowLocalhost === true) {
    if (isProduction(policy.environment ?? {})) return refused('localhost_mode_in_production');
    if (isLocalhost(text, host)) return judgeLocalhost(url, text);
  }
  if (url.protocol === 'http:') return refused('not_https');
  if (url.protocol !== 'https:') return refused('scheme');
  if (url.username !== '' || url.password !== '') return refused('user_info');
  if (url.port !== '') return refused('port');
  if (BLOCKED_HOSTS.has(host)) return refused('blocked_host');
  const address = literalAddress(host);
  if (address !== undefined && !isPublicAddress(address)) return refused('private_ip');
  return allowedHostsOf(policy).includes(address ?? host) ? ACCEPTED : refused('not_in_allow_list');
}

/** The authority and the path as they are written, before the parser makes them plain. */
const WRITTEN = /^[^:]*:[/\\]{2}([^/\\?#]*)([^?#]*)(\?[^#]*)?/;

function isLocalhost(text: string, host: string): boolean {
  const authority = WRITTEN.exec(text)?.[1]?.toLowerCase() ?? '';
  const written = authority.slice(authority.lastIndexOf('@') + 1).replace(/:\d*$/, '');
  return written === host && (host === 'localhost' || host === '127.0.0.1' || host.endsWith('-simulation'));
}

function judgeLocalhost(url: URL, text: string): UrlVerdict {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return refused('localhost_scheme');
  const [, , path = '', query = ''] = WRITTEN.exec(text) ?? [];
  if (path.includes('..')) return refused('path_traversal');
  if (url.username !== '' || url.password !== '') return refused('user_info');
  if (FOREIGN_SCHEMES.some((scheme) => query.toLowerCase().includes(scheme))) return refused('suspicious_query');
  return ACCEPTED;
}
