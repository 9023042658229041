import { DIGITS, HEX, type Random } from './random.js';

/** The host names of simulated files: they are on no network, so a downloader must be told where they live. */
export const SIMULATOR_HOSTS = ['files.simulator.penstock.example'] as const;

/** Simulated links hold for ten years from the day they are signed, so that a seed gives the same outcome on any day. */
const LASTING_SECONDS = 10 * 365 * 86_400;

export interface LinkParts {
  /** What groups the files of one claim. */
  readonly folder: string;
  readonly name: string;
  readonly signedAt: Date;
  /** Defaults to ten years. */
  readonly expiresInSeconds?: number;
  /** Defaults to the simulator's host. */
  readonly origin?: string;
}

/** A link in the form of a presigned one, with a number in its path that no other link has. */
export function link(random: Random, { folder, name, signedAt, expiresInSeconds = LASTING_SECONDS, origin }: LinkParts): string {
  const date = signedAt.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const query = new URLSearchParams({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `SIMULATED/${date.slice(0, 8)}/us-west-2/s3/aws4_request`,
    'X-Amz-Date': date,
    'X-Amz-Expires': String(expiresInSeconds),
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': random.text(64, HEX),
  });
  const path = `exports/${encodeURIComponent(folder)}/${random.text(18, DIGITS)}/${encodeURIComponent(name)}`;
  return `${origin ?? `https://${SIMULATOR_HOSTS[0]}`}/${path}?${query.toString()}`;
}

export interface AskedFile {
  /** The number that tells the file from all others; a text made of the path when it has none. */
  readonly token: string;
  /** Lower case, without the dot; empty when the name has none. */
  readonly extension: string;
}

/** What file a path of the simulator's host means. */
export function askedFile(pathname: string): AskedFile {
  const token = /\/(\d{18})\//.exec(pathname)?.[1];
  const extension = /\.([A-Za-z0-9]{1,10})$/.exec(pathname)?.[1]?.toLowerCase() ?? '';
  return { token: token ?? pathname, extension };
}
