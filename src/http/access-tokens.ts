import type { ConnectionConfig, OAuth2Config } from '../config/pipeline-config.js';
import { PenstockError } from '../diagnostics/index.js';
import type { Fetch } from './downloader.js';
import { categoryOfStatus } from './status.js';

export interface AccessTokensOptions {
  readonly fetch: Fetch;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/** Access tokens of connections that get theirs from a token service. */
export interface AccessTokens {
  /** A token that is good for a while yet; asks for one when there is none, once for all who wait. */
  get(connection: ConnectionConfig): Promise<string>;
  /** This token was refused: the next `get` asks for another. Does nothing when another is already here. */
  drop(connection: ConnectionConfig, token: string): void;
}

interface Held {
  readonly token: string;
  readonly until: number;
}

/** A token is replaced so long before its end, or at half its life when that is shorter. */
const MARGIN_MS = 300_000;
const USUAL_LIFE_SECONDS = 3600;

/** Keeps one token a connection, by OAuth 2.0 client credentials (RFC 6749 §4.4). There are as many entries as connections. */
export function createAccessTokens({ fetch, now }: AccessTokensOptions): AccessTokens {
  const held = new Map<string, Held>();
  const asking = new Map<string, Promise<string>>();

  const ask = async (connection: ConnectionConfig): Promise<string> => {
    if (connection.oauth2 === undefined) {
      throw new PenstockError('PS4002', `the connection ${connection.name} has no oauth2 section`, { category: 'permanent' });
    }
    const { token, lifeMs } = await requestToken(fetch, connection.oauth2, connection);
    held.set(connection.name, { token, until: now() + lifeMs - Math.min(MARGIN_MS, lifeMs / 2) });
    return token;
  };

  return {
    get: (connection) => {
      const have = held.get(connection.name);
      if (have !== undefined && have.until > now()) return Promise.resolve(have.token);
      const underway = asking.get(connection.name);
      if (underway !== undefined) return underway;
      const answer = ask(connection).finally(() => asking.delete(connection.name));
      asking.set(connection.name, answer);
      return answer;
    },
    drop: (connection, token) => {
      if (held.get(connection.name)?.token === token) held.delete(connection.name);
    },
  };
}

async function requestToken(
  fetch: Fetch,
  { clientId, clientCredential, tokenUrl, scope }: OAuth2Config,
  { name, timeoutMs }: ConnectionConfig,
): Promise<{ readonly token: string; readonly lifeMs: number }> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientCredential });
  if (scope !== undefined && scope !== '') form.set('scope', scope);
  const answer = await fetch({
    url: tokenUrl,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: form.toString(),
    timeoutMs,
  });
  if (answer.status !== 200) {
    throw new PenstockError('PS4002', `the token service of ${name} answered ${answer.status}`, {
      category: categoryOfStatus(answer.status) === 'transient' ? 'transient' : 'auth',
      httpStatus: answer.status,
    });
  }
  const { access_token: token, expires_in: life } = parsed(answer.body, name);
  if (typeof token !== 'string' || token === '') throw unusable(name, undefined);
  const seconds = Number(life ?? USUAL_LIFE_SECONDS);
  return { token, lifeMs: 1000 * (Number.isFinite(seconds) && seconds > 0 ? seconds : USUAL_LIFE_SECONDS) };
}

function parsed(body: Buffer, name: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    // The parser's text may quote the answer, and with it the token: only that it failed is told.
    throw unusable(name, cause instanceof Error ? cause.name : undefined);
  }
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function unusable(name: string, cause: string | undefined): PenstockError {
  return new PenstockError('PS4002', `the token service of ${name} gave no access token`, { category: 'auth', cause });
}
