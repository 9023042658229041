import { PenstockError } from '../diagnostics/index.js';
import type { Context, EmailAction, PlannedAction, WebhookAction } from '../plugin/index.js';

/** A request that an action means, before a connection has given it its address and signature. */
export interface Outgoing {
  /** Where it goes: a whole URL, or a path behind a connection; no path means the connection's own. */
  readonly target:
    | { readonly kind: 'url'; readonly url: string }
    | { readonly kind: 'connection'; readonly connection: string; readonly path: string | undefined };
  /** None means what the connection says, else POST. */
  readonly method: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly timeoutMs: number | undefined;
}

/** What a webhook action sends: its body as JSON, or a text as it is when a header says what it is. */
export function webhookRequest({ params }: WebhookAction, { id }: Pick<PlannedAction, 'id'>): Outgoing {
  const { url, connection, path, method, body, headers = {}, timeout } = params;
  const bodiless = method === 'GET' || body === undefined;
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  return {
    target: targetOf(url, connection, path),
    method,
    headers: { ...(bodiless || named ? {} : { 'content-type': 'application/json' }), ...headers, 'Idempotency-Key': id },
    body: bodiless ? undefined : named && typeof body === 'string' ? body : JSON.stringify(body),
    timeoutMs: timeout === undefined ? undefined : timeout * 1000,
  };
}

function targetOf(url: string | undefined, connection: string | undefined, path: string | undefined): Outgoing['target'] {
  if (connection !== undefined) return { kind: 'connection', connection, path };
  if (url !== undefined && url !== '') return { kind: 'url', url };
  throw new PenstockError('PS4002', 'the webhook names neither a url nor a connection', { category: 'permanent' });
}

/** The connection that mail goes through when an action names none. */
const MAIL_CONNECTION = 'email_service';

/** What an e-mail action sends to a mail service: addresses, text and where the message comes from. */
export function emailRequest({ params }: EmailAction, { id }: Pick<PlannedAction, 'id'>, context: Context): Outgoing {
  const { connection = MAIL_CONNECTION, to, subject, body, html = false, cc, bcc, reply_to, template_id, template_data } = params;
  const { event_id, event_type, project_id, domain, stage } = context;
  const mail = {
    to: to ?? [],
    subject,
    content: body ?? '',
    content_type: html ? 'text/html' : 'text/plain',
    ...(cc === undefined ? {} : { cc }),
    ...(bcc === undefined ? {} : { bcc }),
    ...(reply_to === undefined ? {} : { reply_to }),
    ...(template_id === undefined ? {} : { template_id, template_data: template_data ?? {} }),
    metadata: { event_id, event_type, project_id, domain, stage },
  };
  return {
    target: { kind: 'connection', connection, path: '/send' },
    method: 'POST',
    headers: { 'content-type': 'application/json', 'Idempotency-Key': id },
    body: JSON.stringify(mail),
    timeoutMs: undefined,
  };
}
