import { createHash } from 'node:crypto';
import type { Action, Mode, PlannedAction } from './action.js';
import type { PluginContext } from './plugin-context.js';

/** Stages at which the same message comes by once for every attempt. */
const PER_ATTEMPT: ReadonlySet<string> = new Set(['error', 'retry', 'dlq']);

/** What the message is, beside its event: the media file or the task, when it is about one. */
function partOf(context: PluginContext): string {
  const media = context.getField('message.media_id') ?? context.getField('data.media_id');
  if (typeof media === 'string' || typeof media === 'number') return `media:${media}`;
  const task =
    context.getField('message.task_id') ?? context.getField('data.task_id') ?? context.getField('data.entities.tasks[0].task_id');
  return typeof task === 'string' || typeof task === 'number' ? `task:${task}` : '';
}

/** The id of an action: who asked for it, for which message, and as which of its actions; never where the message lay in a log. */
export function actionId(context: PluginContext, plugin: string, index: number): string {
  const attempt = PER_ATTEMPT.has(context.stage) ? context.retry_count : null;
  const identity = [context.domain, context.worker ?? null, context.stage, context.event_id, partOf(context), plugin, index, attempt];
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex');
}

/** An action as it was asked for. Its id is made when it is first read, because most actions are log lines and metrics that need none. */
export class Planned implements PlannedAction {
  private hash: string | undefined;

  constructor(
    private readonly asked: PluginContext,
    readonly plugin: string,
    private readonly index: number,
    readonly action: Action,
    readonly mode: Mode,
    readonly required: boolean,
  ) {}

  get id(): string {
    this.hash ??= actionId(this.asked, this.plugin, this.index);
    return this.hash;
  }

  toJSON(): PlannedAction {
    return { id: this.id, plugin: this.plugin, action: this.action, mode: this.mode, required: this.required };
  }
}
