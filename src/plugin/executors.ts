import { PenstockError } from '../diagnostics/index.js';
import type { ActionType, EmailAction, LogAction, MetricAction, PlannedAction, PublishAction, WebhookAction } from './action.js';
import type { Context } from './context.js';
import type { Perform } from './passed.js';

/** Who performs what: one that is asked for and not given here is an error. `add_header` needs none. */
export interface Executors {
  readonly publish?: Perform<PublishAction>;
  readonly webhook?: Perform<WebhookAction>;
  /** Defaults to a line on standard error. */
  readonly log?: Perform<LogAction>;
  readonly metric?: Perform<MetricAction>;
  readonly email?: Perform<EmailAction>;
  /** Makes an action durable that somebody else will perform. Without it actions of `mode: background` are performed here. */
  readonly background?: (planned: PlannedAction, context: Context) => void | PromiseLike<void>;
}

/** Whether an action can be performed at all; those of the background by whoever takes them over. */
export function canPerform(executors: Executors, action: ActionType): boolean {
  if (executorOf(executors, action) !== undefined) return true;
  return executors.background !== undefined && (action === 'http_webhook' || action === 'send_email');
}

export function executorOf(executors: Executors, action: ActionType): Perform<never> | undefined {
  switch (action) {
    case 'publish_to_topic':
      return executors.publish;
    case 'http_webhook':
      return executors.webhook;
    case 'log':
      return executors.log ?? toStandardError;
    case 'metric':
      return executors.metric;
    case 'send_email':
      return executors.email;
    default:
      return nothing;
  }
}

export function unservable(action: ActionType, plugin: string): PenstockError {
  return new PenstockError('PS1206', `plugin ${plugin} may ask for ${action}, and nothing here performs it`, {
    category: 'permanent',
    help: 'give performActions a function for it',
  });
}

function nothing(): void {
  // Headers and filters took effect when they were asked for.
}

function toStandardError({ params }: LogAction): void {
  process.stderr.write(`${params.level ?? 'info'} ${params.message}\n`);
}
