import type { ConnectionConfig } from '../config/pipeline-config.js';
import { PenstockError } from '../diagnostics/index.js';
import type { EmailAction, Perform, WebhookAction } from '../plugin/index.js';
import { type AccessTokens, createAccessTokens } from './access-tokens.js';
import { connectionHeaders, connectionUrl, type Connections, findConnection } from './connections.js';
import type { Fetch, HttpCall } from './downloader.js';
import { emailRequest, type Outgoing, webhookRequest } from './outgoing.js';
import { categoryOfStatus, retryAfterMs } from './status.js';

export interface WebhookPerformerOptions {
  /** Named services, by the names that actions use. */
  readonly connections: Connections;
  readonly fetch: Fetch;
  /** For calls that say nothing of their own and go through no connection, in milliseconds. Defaults to 10 000. */
  readonly timeoutMs?: number;
  /** The clock, in milliseconds since 1970. Defaults to `Date.now`. */
  readonly now?: () => number;
}

/** What performs the two actions that go out by HTTP. */
export interface WebhookPerformer {
  readonly webhook: Perform<WebhookAction>;
  readonly email: Perform<EmailAction>;
}

/**
 * Makes the performer of `http_webhook` and `send_email`: one request an action, no retry, with the action's id as `Idempotency-Key`.
 *
 * Only an answer below 300 is success. Rejects with a `PenstockError` `PS4002` otherwise, its category by the status (a redirect is
 * permanent), its `retryAfterMs` what the service asked for. A refused access token is replaced once, and the request sent again.
 */
export function createWebhookPerformer({
  connections,
  fetch,
  timeoutMs = 10_000,
  now = Date.now,
}: WebhookPerformerOptions): WebhookPerformer {
  const tokens = createAccessTokens({ fetch, now });
  const send = async (what: string, outgoing: Outgoing) => {
    const { target } = outgoing;
    if (target.kind === 'url') return judge(what, await fetch(plainCall(outgoing, target.url, timeoutMs)), now);
    const connection = findConnection(connections, target.connection);
    const first = await tokenOf(connection, tokens);
    const answer = await fetch(connectionCall(outgoing, connection, target.path, first));
    if (answer.status !== 401 || connection.authType !== 'oauth2' || first === undefined) return judge(what, answer, now);
    tokens.drop(connection, first);
    judge(what, await fetch(connectionCall(outgoing, connection, target.path, await tokens.get(connection))), now);
  };
  return {
    webhook: (action, planned) => send('the webhook', webhookRequest(action, planned)),
    email: (action, planned, context) => send('the mail service', emailRequest(action, planned, context)),
  };
}

function plainCall({ method, headers, body, timeoutMs }: Outgoing, url: string, usualTimeoutMs: number): HttpCall {
  return { url, method: method ?? 'POST', headers, body, timeoutMs: timeoutMs ?? usualTimeoutMs };
}

function connectionCall(outgoing: Outgoing, connection: ConnectionConfig, path: string | undefined, token: string | undefined): HttpCall {
  return {
    url: connectionUrl(connection, path ?? connection.endpoint ?? '/'),
    method: outgoing.method ?? connection.method,
    headers: connectionHeaders(connection, outgoing.headers, token),
    body: outgoing.body,
    timeoutMs: outgoing.timeoutMs ?? connection.timeoutMs,
  };
}

async function tokenOf(connection: ConnectionConfig, tokens: AccessTokens): Promise<string | undefined> {
  return connection.authType === 'oauth2' ? tokens.get(connection) : connection.authToken;
}

function judge(what: string, { status, headers }: Awaited<ReturnType<Fetch>>, now: () => number): void {
  if (status >= 200 && status < 300) return;
  const category = status < 400 ? 'permanent' : categoryOfStatus(status);
  throw new PenstockError(
    'PS4002',
    `${what} answered ${status}${status >= 300 && status < 400 ? ', and redirects are not followed' : ''}`,
    {
      category,
      httpStatus: status,
      retryAfterMs: category === 'transient' ? retryAfterMs(headers['retry-after'], now()) : undefined,
    },
  );
}
