import type { AddHeaderAction, EmailAction, LogAction, MetricAction, PublishAction, WebhookAction } from './action.js';

/** Writes a payload to a topic. */
export function publish(topic: string, payload: unknown, options: Omit<PublishAction['params'], 'topic' | 'payload'> = {}): PublishAction {
  return { type: 'publish_to_topic', params: { topic, payload, ...options } };
}

/** Calls a URL, or a path of a named connection. */
export function webhook(
  target: string | { readonly connection: string; readonly path?: string },
  options: Omit<WebhookAction['params'], 'url' | 'connection' | 'path'> = {},
): WebhookAction {
  return { type: 'http_webhook', params: { ...(typeof target === 'string' ? { url: target } : target), method: 'POST', ...options } };
}

/** Writes a line to the log; an unknown level counts as `info`. */
export function log(level: string, message: string, fields?: Readonly<Record<string, unknown>>): LogAction {
  return { type: 'log', params: fields === undefined ? { level, message } : { level, message, fields } };
}

/** Counts something. Labels have few values: never an id. */
export function metric(name: string, labels: Readonly<Record<string, string>> = {}, value?: number): MetricAction {
  return { type: 'metric', params: value === undefined ? { name, labels } : { name, labels, value } };
}

/** Adds a header that plugins after this one see and publishes after this one carry. */
export function addHeader(key: string, value: string): AddHeaderAction {
  return { type: 'add_header', params: { key, value } };
}

export interface EmailFields extends Omit<EmailAction['params'], 'to' | 'cc' | 'bcc'> {
  readonly to: string | readonly string[];
  readonly cc?: string | readonly string[];
  readonly bcc?: string | readonly string[];
}

/** Sends an e-mail through a named connection (`email_service` when none is named). */
export function email({ to, cc, bcc, connection = 'email_service', html = false, ...rest }: EmailFields): EmailAction {
  return {
    type: 'send_email',
    params: {
      connection,
      to: listOf(to),
      html,
      ...rest,
      ...(cc === undefined ? {} : { cc: listOf(cc) }),
      ...(bcc === undefined ? {} : { bcc: listOf(bcc) }),
    },
  };
}

function listOf(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}
