/** What configuration knows of a domain: the words that its files may use. A third domain is one more row. */
export interface DomainShape {
  readonly name: string;
  /** Its workers ship, so it can run here. */
  readonly runs: boolean;
  readonly stages: readonly string[];
  readonly workers: readonly WorkerShape[];
  /** Plugins that are known to belong here although this build does not have them. */
  readonly expectedPlugins: readonly { readonly name: string; readonly class: string }[];
}

export interface WorkerShape {
  readonly name: string;
  /** One sentence for the reference. */
  readonly about: string;
  /** Only of a worker whose own step is waited for. */
  readonly concurrency?: number;
  readonly credits: number;
  readonly retryOrder: RetryOrderShape;
}

/** What `retry: { order: key }` of a worker means, or why it has none. */
export type RetryOrderShape =
  | {
      /** What the messages have in common whose order holds, in a few words. */
      readonly key: string;
      /** Where a message waits for one that is retried: `in_place` for a while, then on the retry topic; `on_topic` at once, when there is no waiting in place. */
      readonly waits: 'in_place' | 'on_topic';
    }
  | {
      /** Why there is nothing to keep in order, as a sentence about the worker. */
      readonly none: string;
    };

export const DOMAINS: readonly DomainShape[] = [
  {
    name: 'xact',
    runs: true,
    stages: [
      'event_ingest',
      'enrichment_complete',
      'download_queued',
      'download_complete',
      'upload_complete',
      'result_process',
      'delta_write',
      'retry',
      'dlq',
      'error',
    ],
    workers: [
      {
        name: 'xact-event-ingester',
        about: 'Reads raw events and makes download tasks of them.',
        credits: 2000,
        retryOrder: { key: 'trace id', waits: 'in_place' },
      },
      {
        name: 'xact-download',
        about: 'Fetches files to the local cache.',
        concurrency: 50,
        credits: 200,
        retryOrder: { key: 'media id', waits: 'in_place' },
      },
      {
        name: 'xact-upload',
        about: 'Puts cached files into blob storage.',
        concurrency: 32,
        credits: 200,
        retryOrder: { key: 'media id', waits: 'in_place' },
      },
      {
        name: 'xact-result-processor',
        about: 'Writes results to the attachment tables.',
        credits: 5000,
        retryOrder: { key: 'media id', waits: 'on_topic' },
      },
      {
        name: 'xact-delta-events',
        about: 'Writes raw events to the event table.',
        credits: 5000,
        retryOrder: { key: 'trace id', waits: 'on_topic' },
      },
      {
        name: 'xact-retry',
        about: 'Holds retries until they are due and gives them back.',
        credits: 1000,
        retryOrder: { none: 'it brings back what other workers retry, and nothing of its own is retried' },
      },
      {
        name: 'xact-actions',
        about: 'Performs the actions of plugins that run in the background.',
        concurrency: 16,
        credits: 500,
        retryOrder: { key: 'plugin and event', waits: 'in_place' },
      },
    ],
    expectedPlugins: [],
  },
  {
    name: 'claimx',
    runs: false,
    stages: [
      'event_ingest',
      'enrichment_queued',
      'enrichment_complete',
      'entity_write',
      'download_queued',
      'download_complete',
      'upload_complete',
      'result_process',
      'delta_write',
      'retry',
      'dlq',
      'error',
    ],
    workers: [],
    expectedPlugins: [{ name: 'task_trigger', class: 'TaskTriggerPlugin' }],
  },
];

/** Every stage of every domain, each once. */
export function allStages(domains: readonly DomainShape[] = DOMAINS): string[] {
  return [...new Set(domains.flatMap((domain) => domain.stages))];
}
