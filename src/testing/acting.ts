import type { OperatorFunction } from 'rxjs';
import type { Delivery } from '../../operators/index.js';
import { type Action, type Context, type Passed, performActions, type PerformActionsOptions } from '../plugin/index.js';
import { type OutboxPerformers, publisher } from '../runtime/plugin-actions.js';
import type { Performing } from '../runtime/stage.js';
import type { NewRecord } from '../transport/transport.js';
import { MockedActions, type Mocks, type MockUse } from './mocks.js';
import type { Asked, Recording } from './recording.js';

/** The lane an action is recorded in, and what its letter stands for; none for a filter, which is a door. */
function laneOf(action: Action): readonly [lane: string, content: unknown] | undefined {
  switch (action.type) {
    case 'publish_to_topic':
      return [`publish ${action.params.topic}`, action.params.payload];
    case 'http_webhook':
      return [
        `webhook ${action.params.method ?? 'POST'} ${action.params.url ?? `${action.params.connection ?? ''}${action.params.path ?? ''}`}`,
        action.params.body,
      ];
    case 'log':
      return ['log', action.params.message];
    case 'metric':
      return [`metric ${action.params.name}`, action.params.value ?? 1];
    case 'add_header':
      return ['header', `${action.params.key}: ${action.params.value}`];
    case 'send_email':
      return ['email', action.params.subject];
    case 'filter':
      return undefined;
  }
}

/** What performs actions, but for the executors: those are mocks. */
export type Performance = Omit<PerformActionsOptions, 'publish' | 'webhook' | 'log' | 'metric' | 'email'>;

/** What a whole worker performs actions by. */
export interface Performers {
  readonly perform: Performing;
  readonly performers: OutboxPerformers;
}

export interface ActingOptions {
  readonly recording: Recording;
  readonly letterOf: (context: Context) => string;
  readonly mocks: Mocks | undefined;
  readonly performance: Performance | undefined;
}

/** What plugins ask for: recorded, and performed as mocks answer where that is wanted. */
export class Acting {
  /** Actions are performed, not only asked for. */
  readonly performs: boolean;
  private readonly mocked: MockedActions;

  constructor(private readonly options: ActingOptions) {
    this.performs = options.mocks !== undefined || options.performance !== undefined;
    this.mocked = new MockedActions(options.mocks ?? {});
  }

  get use(): readonly MockUse[] {
    return this.mocked.use();
  }

  /** Somebody is asked to do something, now; answers the lane in which that stands. */
  asked({ action, plugin }: Asked, context: Context): string {
    const [lane, content] = laneOf(action) ?? [];
    if (lane !== undefined) this.options.recording.action(lane, this.options.letterOf(context), content, { action, plugin });
    return lane ?? '';
  }

  /** Actions of a chain that let something out: those that nobody performs are recorded at once. */
  passed({ actions, context }: Passed): void {
    for (const planned of actions) if (!this.performs || planned.action.type === 'add_header') this.asked(planned, context);
  }

  perform(): OperatorFunction<Delivery<Passed>, Delivery<Context>> {
    return performActions(this.executors()) as OperatorFunction<Delivery<Passed>, Delivery<Context>>;
  }

  /** The same for a whole worker: publishes are written to its log, where they are seen. */
  onLog(produce: (records: readonly NewRecord[]) => Promise<unknown>): Performers {
    const write = publisher(produce);
    const publish: OutboxPerformers['publish'] = async (action, planned, context) => {
      await this.mocked.perform(`publish ${action.params.topic}`);
      await write(action, planned, context);
    };
    const { webhook, email, ...rest } = this.executors();
    return {
      perform: performActions({ ...rest, webhook, email, publish }) as Performing,
      performers: { webhook, email, publish },
    };
  }

  private executors() {
    const call = (_action: Action, planned: Asked, context: Context): void | Promise<void> =>
      this.mocked.perform(this.asked(planned, context));
    const executors = { publish: call, webhook: call, log: call, metric: call, email: call };
    return { random: () => 1, ...this.options.performance, ...executors } satisfies PerformActionsOptions;
  }
}
