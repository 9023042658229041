import { connectionUrl, type Connections, findConnection, overlaid } from './connections.js';
import { emailRequest, type Outgoing, webhookRequest } from './outgoing.js';
import type { WebhookPerformer } from './webhook.js';

/** A request that would have been sent. It was not signed, and what the connection puts into its headers is left out: no secret of a connection is here. */
export interface CapturedRequest {
  readonly actionId: string;
  readonly plugin: string;
  readonly connection: string | undefined;
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface CaptureOptions {
  readonly connections: Connections;
  /** The most requests kept; the oldest leave first. Defaults to 1000. */
  readonly limit?: number;
  /** Hears of each. */
  readonly onCaptured?: (request: CapturedRequest) => void;
}

export interface Capture extends WebhookPerformer {
  /** The latest requests, oldest first. */
  captured(): readonly CapturedRequest[];
  /** How many there were in all. */
  count(): number;
}

/** Performs webhooks and mail by remembering them: nothing leaves the machine. An action that could not be sent fails here as it would there. */
export function createCapture({ connections, limit = 1000, onCaptured }: CaptureOptions): Capture {
  const ring: CapturedRequest[] = [];
  let count = 0;
  const keep = (outgoing: Outgoing, actionId: string, plugin: string) => {
    const request = { actionId, plugin, ...addressed(outgoing, connections), body: outgoing.body };
    if (ring.length < limit) ring.push(request);
    else ring[count % limit] = request;
    count += 1;
    onCaptured?.(request);
  };
  return {
    webhook: (action, planned) => keep(webhookRequest(action, planned), planned.id, planned.plugin),
    email: (action, planned, context) => keep(emailRequest(action, planned, context), planned.id, planned.plugin),
    captured: () => {
      const oldest = count % limit;
      return count <= limit ? [...ring] : [...ring.slice(oldest), ...ring.slice(0, oldest)];
    },
    count: () => count,
  };
}

function addressed({ target, method, headers }: Outgoing, connections: Connections): Omit<CapturedRequest, 'actionId' | 'plugin' | 'body'> {
  if (target.kind === 'url') return { connection: undefined, url: target.url, method: method ?? 'POST', headers };
  const connection = findConnection(connections, target.connection);
  return {
    connection: target.connection,
    url: connectionUrl(connection, target.path ?? connection.endpoint ?? '/'),
    method: method ?? connection.method,
    headers: overlaid(hidden(connection.headers), headers),
  };
}

function hidden(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, '[set by the connection]']));
}
