import { type Observable, of } from 'rxjs';
import { expectTypeOf } from 'vitest';
import { type Delivery, deliveries, filterOut, lift, values } from 'penstock/operators';
import {
  act,
  amend,
  chain,
  type Context,
  contexts,
  defineOpenPlugin,
  definePlugin,
  messages,
  type Passed,
  performActions,
  publish,
  type Routable,
  skip,
  topic,
  z,
} from 'penstock/plugin';
import { auditLogger } from 'penstock/plugins/audit-logger';
import { esxProcessor } from 'penstock/plugins/esx-processor';
import { eventFilter } from 'penstock/plugins/event-filter';
import { failureAlerter } from 'penstock/plugins/failure-alerter';
import { genericAlerter } from 'penstock/plugins/generic-alerter';
import { filter } from 'rxjs';
import type { DownloadResult } from '../../src/domains/xact/messages.js';
import type { UploadData } from '../../src/domains/xact/stages.js';

const about = { version: '1.0.0', summary: 'A plugin.' };

// Message and data are inferred from domains and stages.
definePlugin({
  ...about,
  name: 'one_stage',
  domains: ['xact'],
  stages: ['result_process'],
  config: z.strictObject({ topic: topic().default('t'), min_retries: z.int().default(3) }),
  create: ({ config }) => {
    expectTypeOf(config).toEqualTypeOf<{ topic: string; min_retries: number }>();
    return (context) => {
      expectTypeOf(context.message).toEqualTypeOf<DownloadResult>();
      expectTypeOf(context.data).toEqualTypeOf<UploadData>();
      expectTypeOf(context.stage).toEqualTypeOf<'result_process'>();
      if (context.message.status !== 'failed_permanent') return skip('not a lasting failure');
      return act(publish(config.topic, { trace_id: context.message.trace_id }, { key: context.message.trace_id }));
    };
  },
});

// A plugin for two stages sees the union, and narrows it by the stage.
definePlugin({
  ...about,
  name: 'two_stages',
  domains: ['xact'],
  stages: ['event_ingest', 'result_process'],
  create: () => (context) => {
    // @ts-expect-error the status is not there at every stage
    void context.message.status;
    if (context.stage === 'result_process') expectTypeOf(context.message).toEqualTypeOf<DownloadResult>();
    else expectTypeOf(context.message.traceId).toEqualTypeOf<string>();
  },
});

// A stage that the domain lacks is an error at the word, and so is a domain that is not declared.
definePlugin({
  ...about,
  name: 'wrong_stage',
  domains: ['xact'],
  // @ts-expect-error xact has no such stage
  stages: ['entity_write'],
  create: () => () => undefined,
});
definePlugin({
  ...about,
  name: 'wrong_domain',
  // @ts-expect-error no domain is called so
  domains: ['yact'],
  stages: ['result_process'],
  create: () => () => undefined,
});

// An unknown config key is an error at the call, and so is a value of the wrong type.
failureAlerter({ min_retries: 2 });
failureAlerter();
// @ts-expect-error the key is min_retries
failureAlerter({ min_retrys: 2 });
// @ts-expect-error a number is wanted
failureAlerter({ min_retries: '2' });
// @ts-expect-error a topic is needed
genericAlerter();
// @ts-expect-error the key does not exist
eventFilter({ patern: 'x' });

// An amended field must be one of the message, of its type.
definePlugin({
  ...about,
  name: 'amending',
  domains: ['xact'],
  stages: ['result_process'],
  create: () => () => amend({ file_type: 'PDF' }),
});
definePlugin({
  ...about,
  name: 'amending_wrongly',
  domains: ['xact'],
  stages: ['result_process'],
  // @ts-expect-error the file type is a text
  create: () => () => amend({ file_type: 7 }),
});

declare const results$: Observable<DownloadResult>;
const inContext = contexts({
  domain: 'xact',
  stage: 'result_process',
  event_id: (result: DownloadResult) => result.trace_id,
  data: (result) => ({ media_id: result.media_id, blob_path: result.blob_path, bytes_uploaded: result.bytes_downloaded }),
});

// Embedded in somebody's own stream: the message's type goes all the way through.
const out$ = results$.pipe(
  deliveries({
    onLeft(result, outcome) {
      expectTypeOf(result).toEqualTypeOf<DownloadResult>();
      expectTypeOf(outcome).toEqualTypeOf<'delivered' | 'filtered' | 'retried' | 'dead_lettered' | 'released'>();
    },
  }),
  filterOut((result) => result.file_type === 'tmp', 'temporary file'),
  lift(
    filter((result: DownloadResult) => result.trace_id !== ''),
    'no trace id',
  ),
  inContext,
  chain(eventFilter({ pattern: '.*test.*' }), failureAlerter({ min_retries: 2 })),
  performActions({ publish: () => undefined, concurrency: 16 }),
  values(),
);
expectTypeOf(out$.pipe).returns.not.toBeAny();
out$.subscribe(({ message, data }) => {
  expectTypeOf(message).toEqualTypeOf<DownloadResult>();
  expectTypeOf(data.media_id).toEqualTypeOf<string>();
});

// One by one they are operators as well.
results$
  .pipe(deliveries(), inContext, eventFilter(), failureAlerter(), esxProcessor(), auditLogger())
  .subscribe((delivery) => expectTypeOf(delivery.value.context.message).toEqualTypeOf<DownloadResult>());

// A plugin in a pipe of another stage is an error.
of({ id: 1 }).pipe(
  deliveries(),
  contexts({ domain: 'xact', stage: 'event_ingest', event_id: ({ id }: { id: number }) => String(id) }),
  // @ts-expect-error the stage is result_process, and its message has more members
  failureAlerter(),
);

// A plugin that reads only the context's own fields is typed for any stage, of any domain.
const mine$ = of({ id: 1 }).pipe(
  deliveries(),
  contexts({ domain: 'orders', stage: 'placed', event_id: ({ id }: { id: number }) => String(id) }),
  chain(eventFilter(), auditLogger()),
);
expectTypeOf(mine$).toExtend<Observable<Delivery<Passed<Context<{ id: number }, Readonly<Record<string, never>>>>>>>();

// What reads a shape takes every message that has it, and no other.
const routable = genericAlerter({ topic: 'alerts' });
of<Routable>({ trace_id: 't', status: 's' }).pipe(
  deliveries(),
  contexts({ domain: 'orders', stage: 'placed', event_id: (message: Routable) => message.trace_id }),
  routable,
);
of({ id: 1 }).pipe(
  deliveries(),
  contexts({ domain: 'orders', stage: 'placed', event_id: ({ id }: { id: number }) => String(id) }),
  // @ts-expect-error there is no trace id and no status
  routable,
);

// A chain needs what all its plugins need.
of({ id: 1 }).pipe(
  deliveries(),
  contexts({ domain: 'orders', stage: 'placed', event_id: ({ id }: { id: number }) => String(id) }),
  // @ts-expect-error one of them is for xact/result_process
  chain(eventFilter(), failureAlerter()),
);

// A third domain adds its stages by declaration merging.
declare module '../../src/plugin/index.js' {
  interface Stages {
    'typetest/arrived': { message: { readonly weight: number }; data: { readonly dock: string } };
  }
}
definePlugin({
  ...about,
  name: 'third_domain',
  domains: ['typetest'],
  stages: ['arrived'],
  create: () => (context) => {
    expectTypeOf(context.message.weight).toEqualTypeOf<number>();
    expectTypeOf(context.data.dock).toEqualTypeOf<string>();
    expectTypeOf(context.getField('message.weight')).toEqualTypeOf<unknown>();
  },
});
defineOpenPlugin({
  ...about,
  name: 'any_shape',
  reads: messages<{ readonly weight: number }>(),
  create:
    () =>
    ({ message }) =>
      void message.weight,
});
