import type { Action, EmailAction, WebhookAction } from './action.js';
import { addHeader, email, log, metric, publish, webhook } from './actions.js';
import type { Context } from './context.js';
import type { Given } from './definition.js';
import type { Result } from './result.js';

export interface PluginResultFields {
  readonly success: boolean;
  readonly actions?: readonly Action[];
  readonly message?: string | null;
  readonly terminate_pipeline?: boolean;
}

/** What a class plugin answers. */
export class PluginResult {
  readonly success: boolean;
  readonly actions: readonly Action[];
  readonly message: string | null;
  readonly terminate_pipeline: boolean;

  constructor({ success, actions = [], message = null, terminate_pipeline = false }: PluginResultFields) {
    this.success = success;
    this.actions = actions;
    this.message = message;
    this.terminate_pipeline = terminate_pipeline;
  }

  /** The delivery goes on. */
  static success(message: string | null = null): PluginResult {
    return new PluginResult({ success: true, message });
  }

  /** The delivery goes on; there was nothing to do. */
  static skip(reason: string): PluginResult {
    return new PluginResult({ success: true, message: `Skipped: ${reason}` });
  }

  static publish(topic: string, payload: unknown, headers?: Readonly<Record<string, string>>): PluginResult {
    return PluginResult.acting(publish(topic, payload, headers === undefined ? {} : { headers }));
  }

  static webhook(
    url: string,
    method: NonNullable<WebhookAction['params']['method']> = 'POST',
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): PluginResult {
    return PluginResult.acting(
      webhook(url, { method, ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) }),
    );
  }

  static log(level: string, message: string): PluginResult {
    return PluginResult.acting(log(level, message));
  }

  static metric(name: string, labels: Readonly<Record<string, string>> = {}): PluginResult {
    return PluginResult.acting(metric(name, labels));
  }

  static addHeader(key: string, value: string): PluginResult {
    return PluginResult.acting(addHeader(key, value));
  }

  static email(
    to: string | readonly string[],
    subject: string,
    body: string,
    options: Omit<EmailAction['params'], 'to' | 'subject' | 'body' | 'cc' | 'bcc'> & {
      readonly cc?: string | readonly string[];
      readonly bcc?: string | readonly string[];
    } = {},
  ): PluginResult {
    return PluginResult.acting(email({ to, subject, body, ...options }));
  }

  /** The delivery ends here, as filtered. */
  static filterOut(reason: string): PluginResult {
    return new PluginResult({
      success: true,
      actions: [{ type: 'filter', params: { reason } }],
      message: `Filtered: ${reason}`,
      terminate_pipeline: true,
    });
  }

  /** The plugin could not do its work. */
  static failure(message: string): PluginResult {
    return new PluginResult({ success: false, message });
  }

  private static acting(action: Action): PluginResult {
    return new PluginResult({ success: true, actions: [action] });
  }
}

/** The base of a class plugin: fields say where it runs, `execute` what it does. */
export abstract class Plugin {
  readonly name: string = 'unnamed_plugin';
  readonly description: string = '';
  readonly version: string = '1.0.0';
  /** None means all. */
  readonly domains: readonly string[] = [];
  /** None means all. */
  readonly stages: readonly string[] = [];
  /** None means all. */
  readonly eventTypes: readonly string[] = [];
  /** Lower runs earlier. */
  readonly priority: number = 100;
  readonly defaultConfig: Readonly<Record<string, unknown>> = {};
  private merged: Readonly<Record<string, unknown>> | undefined;

  constructor(private readonly given: Readonly<Record<string, unknown>> = {}) {}

  /** The given config over the default one, member by member. */
  get config(): Readonly<Record<string, unknown>> {
    this.merged ??= { ...this.defaultConfig, ...this.given };
    return this.merged;
  }

  abstract execute(context: Given<Context>): Answered | PromiseLike<Answered>;

  /** Whether it has anything to do with this context; asked after domain, stage, event type and conditions. */
  shouldRun(_context: Given<Context>): boolean {
    return true;
  }

  onLoad(): void | PromiseLike<void> {
    // Nothing to prepare.
  }

  onUnload(): void | PromiseLike<void> {
    // Nothing to give back.
  }
}

type Answered = PluginResult | Result | undefined;

/** Publishes a payload under a key, as an action of the message that is being routed. */
export type SendToTopic = (topic: string, payload: unknown, key: string) => Promise<void>;

/**
 * The base of a plugin that routes messages to topics. `route` runs on a view of the plugin that belongs to one message, so that what it sends
 * belongs to that message: keep members private by `private`, as `#private` members do not reach a view.
 */
export abstract class RoutingPlugin<T> {
  abstract readonly name: string;
  readonly domain: string = '';
  readonly version: string = '1.0.0';
  readonly priority: number = 100;
  /** Where it stands when the configuration is silent. */
  readonly stages: readonly string[] = ['result_process'];

  constructor(readonly config: Readonly<Record<string, unknown>> = {}) {}

  abstract shouldRoute(message: T): boolean;
  abstract route(message: T, send: SendToTopic): void | PromiseLike<void>;
  abstract traceId(message: T): string;

  start(): void | PromiseLike<void> {
    // Nothing to prepare.
  }

  stop(): void | PromiseLike<void> {
    // Nothing to give back.
  }

  /** Sends to a topic; works while a message is being routed. */
  sendToTopic(_topic: string, _payload: unknown, _key: string): Promise<void> {
    return Promise.reject(new Error(`plugin ${this.name}: nothing is being routed`));
  }
}
