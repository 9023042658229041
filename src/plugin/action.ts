/** An effect as data. Nothing happens until an executor performs it. Parameters keep their wire names. */
export type Action = PublishAction | WebhookAction | LogAction | MetricAction | AddHeaderAction | FilterAction | EmailAction;

export interface PublishAction {
  readonly type: 'publish_to_topic';
  readonly params: {
    readonly topic: string;
    readonly payload: unknown;
    /** Defaults to the context's `event_id`. */
    readonly key?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
}

/** Either `url`, or `connection` (a name from `connections.yaml`) with `path`. */
export interface WebhookAction {
  readonly type: 'http_webhook';
  readonly params: {
    readonly url?: string;
    readonly connection?: string;
    readonly path?: string;
    readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
    readonly body?: unknown;
    readonly headers?: Readonly<Record<string, string>>;
    /** Seconds. */
    readonly timeout?: number;
  };
}

export interface LogAction {
  readonly type: 'log';
  readonly params: { readonly level?: string; readonly message: string; readonly fields?: Readonly<Record<string, unknown>> };
}

export interface MetricAction {
  readonly type: 'metric';
  readonly params: { readonly name: string; readonly labels?: Readonly<Record<string, string>>; readonly value?: number };
}

export interface AddHeaderAction {
  readonly type: 'add_header';
  readonly params: { readonly key: string; readonly value: string };
}

export interface FilterAction {
  readonly type: 'filter';
  readonly params: { readonly reason: string };
}

export interface EmailAction {
  readonly type: 'send_email';
  readonly params: {
    readonly connection?: string;
    readonly to: readonly string[];
    readonly subject: string;
    readonly body: string;
    readonly html?: boolean;
    readonly cc?: readonly string[];
    readonly bcc?: readonly string[];
    readonly reply_to?: string;
    readonly template_id?: string;
    readonly template_data?: Readonly<Record<string, unknown>>;
  };
}

export type ActionType = Action['type'];
export type Mode = 'inline' | 'background';

/** An action that a plugin asked for, with what an executor must know of it. */
export interface PlannedAction {
  /** A hash of what the message is and who asked (never of an offset): the same for every delivery of one message. */
  readonly id: string;
  readonly plugin: string;
  readonly action: Action;
  readonly mode: Mode;
  /** The delivery itself is retried when the action fails. */
  readonly required: boolean;
}
