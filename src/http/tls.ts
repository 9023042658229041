import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { PenstockError } from '../diagnostics/index.js';

/** How servers' certificates are judged. TLS below 1.2 is never spoken. */
export interface TlsPolicy {
  readonly rejectUnauthorized: boolean;
  /** Trusted authorities in PEM; none means Node's own. */
  readonly certificateAuthority?: readonly string[];
}

const CA_VARIABLES = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'] as const;

/**
 * Reads the TLS policy from the environment: certificates are verified; the first of `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE` and
 * `CURL_CA_BUNDLE` that is set adds authorities; `DISABLE_SSL_VERIFY=true` turns verification off and is refused in production.
 */
export function tlsFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  { production }: { readonly production: boolean },
): TlsPolicy {
  const unverified = environment['DISABLE_SSL_VERIFY']?.trim().toLowerCase() === 'true';
  if (unverified && production) {
    throw new PenstockError('PS1302', 'DISABLE_SSL_VERIFY=true is refused in production', {
      category: 'permanent',
      help: 'unset it, and name the CA bundle in SSL_CERT_FILE',
    });
  }
  const variable = CA_VARIABLES.find((name) => (environment[name] ?? '') !== '');
  if (variable === undefined) return { rejectUnauthorized: !unverified };
  return { rejectUnauthorized: !unverified, certificateAuthority: [...rootCertificates, readBundle(variable, environment[variable]!)] };
}

function readBundle(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new PenstockError('PS1002', `the CA bundle ${path} that ${variable} names cannot be read`, { category: 'permanent', cause });
  }
}
