import { consumedTopics, retryTopicName, topicName, type XactWorker } from '../../domains/xact/topics.js';
import { RETRY_DELAYS_MS } from './scenario.js';

/** What the simulated worker stands in for: its name is its group, its topics are the domain's. */
export const WORKER_GROUP = 'xact-download' satisfies XactWorker;
/** The worker that brings back what was retried. */
export const RETRY_GROUP = 'xact-retry' satisfies XactWorker;

export const INPUT: string = consumedTopics(WORKER_GROUP, RETRY_DELAYS_MS)[0]!;
export const OUTPUT: string = topicName('xact.downloads_cached');
export const DEAD_LETTERS: string = topicName('xact.dlq');
export const RETRIES: readonly string[] = RETRY_DELAYS_MS.map((delayMs) => retryTopicName(INPUT, delayMs));

export function isRetryTopic(topic: string): boolean {
  return RETRIES.includes(topic);
}

/** The letter of the message in a record's value; none when it cannot be read. */
export function letterIn(value: Buffer | null): string | undefined {
  const found = /"letter":"(.)"/u.exec(value?.toString('utf8') ?? '');
  return found?.[1];
}
