/** The domain's name: the first part of its topics, tables and groups. */
export const XACT = 'xact';

/** The topics of the domain: logical names left, names on the wire right. Topics that plugins publish to are their own affair. */
const NAMES = {
  'xact.events': 'xact.events.raw',
  'xact.downloads_pending': 'xact.downloads.pending',
  'xact.downloads_cached': 'xact.downloads.cached',
  'xact.downloads_results': 'xact.downloads.results',
  'xact.actions_outbox': 'xact.actions.outbox',
  'xact.dlq': 'xact.dlq',
} as const;

export type XactTopic = keyof typeof NAMES;

/** The logical name under which all retry topics of the domain are known. */
export const RETRY = 'xact.retry';

/** The one naming of topics: what a logical name is on the wire. */
export function topicName<L extends XactTopic>(logical: L): (typeof NAMES)[L] {
  return NAMES[logical];
}

/** The logical name of a topic of the domain; none of any other. */
export function logicalName(topic: string): XactTopic | undefined {
  return (Object.keys(NAMES) as XactTopic[]).find((logical) => NAMES[logical] === topic);
}

const UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** The topic that holds records of a topic for one fixed delay: `xact.downloads.pending.retry.5m`. */
export function retryTopicName(topic: string, delayMs: number): string {
  const [unit, length] = UNITS.find(([, length]) => delayMs % length === 0) ?? ['ms', 1];
  return `${topic}.retry.${delayMs / length}${unit}`;
}

/** Of what topic a retry topic is, and for how long it holds; none of any other topic. */
export function ofRetryTopic(name: string): { readonly topic: string; readonly delayMs: number } | undefined {
  const parts = /^(.+)\.retry\.(\d+)(ms|s|m|h)$/.exec(name);
  const unit = UNITS.find(([unit]) => unit === parts?.[3]);
  return parts === null || unit === undefined ? undefined : { topic: parts[1]!, delayMs: Number(parts[2]) * unit[1] };
}

/** What a worker reads and what it writes, by logical names; retries, dead letters and the outbox are open to each of them. */
export interface WorkerTopics {
  readonly consumes: readonly XactTopic[];
  readonly produces: readonly XactTopic[];
}

/** Every worker of the domain. Its consumer group has its name. */
export const WORKERS = {
  'xact-event-ingester': { consumes: ['xact.events'], produces: ['xact.downloads_pending', 'xact.downloads_results'] },
  'xact-download': { consumes: ['xact.downloads_pending'], produces: ['xact.downloads_cached', 'xact.downloads_results'] },
  'xact-upload': { consumes: ['xact.downloads_cached'], produces: ['xact.downloads_results'] },
  'xact-result-processor': { consumes: ['xact.downloads_results'], produces: [] },
  'xact-delta-events': { consumes: ['xact.events'], produces: [] },
  'xact-retry': {
    consumes: [],
    produces: ['xact.events', 'xact.downloads_pending', 'xact.downloads_cached', 'xact.downloads_results', 'xact.actions_outbox'],
  },
  'xact-actions': { consumes: ['xact.actions_outbox'], produces: [] },
} as const satisfies Readonly<Record<string, WorkerTopics>>;

export type XactWorker = keyof typeof WORKERS;

/** The topics that some worker consumes, by logical name: the targets that a retry may name. */
export const CONSUMED: readonly XactTopic[] = [
  ...new Set(Object.values(WORKERS).flatMap((worker): readonly XactTopic[] => worker.consumes)),
];

/** All retry topics, on the wire, for these delays. */
export function retryTopics(delaysMs: readonly number[]): readonly string[] {
  return [...new Set(CONSUMED.flatMap((logical) => delaysMs.map((delayMs) => retryTopicName(topicName(logical), delayMs))))];
}

/** What one worker consumes on the wire. */
export function consumedTopics(worker: XactWorker, delaysMs: readonly number[]): readonly string[] {
  return worker === 'xact-retry' ? retryTopics(delaysMs) : WORKERS[worker].consumes.map(topicName);
}

/** Every topic of the domain on the wire, for these delays. */
export function allTopics(delaysMs: readonly number[]): readonly string[] {
  return [...Object.values(NAMES), ...retryTopics(delaysMs)];
}
