import { allTopics, topicName, XACT } from '../domains/xact/topics.js';
import { UsageError } from './exit-codes.js';

/** What the command line knows of a domain. */
export interface CliDomain {
  readonly name: string;
  /** Where raw events enter. */
  readonly raw: string;
  readonly deadLetters: string;
  topics(retryDelaysMs: readonly number[]): readonly string[];
  /** The key of a raw event. */
  keyOf(event: Readonly<Record<string, unknown>>): string | null;
}

const DOMAINS: Readonly<Record<string, CliDomain>> = {
  [XACT]: {
    name: XACT,
    raw: topicName('xact.events'),
    deadLetters: topicName('xact.dlq'),
    topics: allTopics,
    keyOf: (event) => textOf(event['traceId']) ?? textOf(event['trace_id']),
  },
};

export const DOMAIN_NAMES: readonly string[] = Object.keys(DOMAINS);

export function cliDomain(name: string): CliDomain {
  const domain = Object.hasOwn(DOMAINS, name) ? DOMAINS[name] : undefined;
  if (domain === undefined) throw new UsageError(`there is no domain "${name}"`, `domains are: ${DOMAIN_NAMES.join(', ')}`);
  return domain;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}
