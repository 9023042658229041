import type { ConnectionConfig } from '../config/pipeline-config.js';
import { PenstockError } from '../diagnostics/index.js';

export type Connections = Readonly<Record<string, ConnectionConfig>>;

/** The connection of that name: its key in the file, else its own `name`. */
export function findConnection(connections: Connections, name: string): ConnectionConfig {
  const found = Object.hasOwn(connections, name) ? connections[name] : Object.values(connections).find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new PenstockError('PS4002', `no connection is called ${name}`, {
    category: 'permanent',
    help: `name it in connections.yaml; known are ${Object.keys(connections).join(', ') || 'none'}`,
  });
}

/** The URL of a path behind a connection. What comes out has the origin of the base, so that its credentials go nowhere else. */
export function connectionUrl({ name, baseUrl }: ConnectionConfig, path: string): string {
  const base = baseUrl.replace(/\/+$/, '');
  const joined = path === '' ? base : `${base}${path.startsWith('/') || path.startsWith('?') ? '' : '/'}${path}`;
  if (URL.canParse(joined) && new URL(joined).origin === new URL(base).origin) return joined;
  throw new PenstockError('PS4002', `the path does not stay within the connection ${name}`, { category: 'permanent' });
}

/**
 * The headers of a request through a connection: the connection's, over them the request's, over them the one that signs in. No token, no
 * such header. Names are compared without case.
 */
export function connectionHeaders(
  connection: ConnectionConfig,
  request: Readonly<Record<string, string>>,
  token: string | undefined,
): Record<string, string> {
  return overlaid(connection.headers, request, signIn(connection, token));
}

/** The headers of all layers; a later layer replaces what an earlier one says under the same name. */
export function overlaid(...layers: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const entries = new Map<string, readonly [string, string]>();
  for (const layer of layers) for (const [name, value] of Object.entries(layer)) entries.set(name.toLowerCase(), [name, value]);
  return Object.fromEntries(entries.values());
}

function signIn({ authType, authHeader }: ConnectionConfig, token: string | undefined): Readonly<Record<string, string>> {
  if (token === undefined || token === '') return {};
  switch (authType) {
    case 'none':
      return {};
    case 'bearer':
    case 'oauth2':
      return { Authorization: `Bearer ${token}` };
    case 'basic':
      return { Authorization: `Basic ${token}` };
    case 'api_key':
      return { [authHeader ?? 'X-API-Key']: token };
  }
}

/** The hosts that connections name: whoever wrote the file trusts them. */
export function connectionHosts(connections: Connections): readonly string[] {
  const urls = Object.values(connections).flatMap(({ baseUrl, oauth2 }) => (oauth2 === undefined ? [baseUrl] : [baseUrl, oauth2.tokenUrl]));
  return [...new Set(urls.filter((url) => URL.canParse(url)).map((url) => new URL(url).hostname))];
}
