import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { PenstockError } from '../diagnostics/index.js';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** Every address of a host name; rejects as `dns.lookup` does. */
export type ResolveHost = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** Whether an address may be reached from here by somebody else's wish: public unicast only, IPv4 in IPv6 clothing judged as IPv4. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  return ipaddr.process(address).range() === 'unicast';
}

/** IPv4 in any spelling: its last part begins with a digit. */
const LIKE_IPV4 = /(?:^|\.)\d[^.]*$/;

/** The address that a URL's host is, if it is one; `new URL` has already turned decimal, octal and hexadecimal spellings into dotted form. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
  // That a name is no address the parser finds out by throwing, which takes longer than all else that is asked of a URL.
  if (!bare.includes(':') && !LIKE_IPV4.test(bare)) return undefined;
  return ipaddr.isValid(bare) ? bare : undefined;
}

/** Refuses a URL whose host is the literal of an address that is not public: Node never asks a lookup function about those. */
export function refusePrivateLiteral(url: URL): void {
  const address = literalAddress(url.hostname);
  if (address !== undefined && !isPublicAddress(address)) throw refused(url.hostname, 'is not a public address');
}

export const resolveBySystem: ResolveHost = (hostname) => systemLookup(hostname, { all: true, verbatim: true });

/**
 * A lookup function for sockets that resolves every address of a name, refuses the name when any of them is not public, and
 * hands the very same addresses to the socket, so that there is no second resolution to rebind.
 */
export function publicLookup(resolveHost: ResolveHost): LookupFunction {
  return (hostname, options, callback) => {
    resolveHost(hostname).then(
      (addresses) => {
        const hidden = addresses.find(({ address }) => !isPublicAddress(address));
        const first = addresses[0];
        if (first === undefined) callback(refused(hostname, 'has no address'), '', 0);
        else if (hidden !== undefined) callback(refused(hostname, `resolves to ${hidden.address}, which is not a public address`), '', 0);
        else if (options.all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}

function refused(hostname: string, why: string): PenstockError {
  return new PenstockError('PS4102', `the host ${hostname.slice(0, 253)} ${why}`, { category: 'permanent' });
}
