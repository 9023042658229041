import type { DomainFacts } from '../config/check-pipeline.js';
import { STAGE_SCHEMAS, XACT_STAGES } from '../domains/xact/stages.js';
import { consumedTopics, retryTopics, topicName, WORKERS, XACT, type XactWorker } from '../domains/xact/topics.js';
import type { StageSpec } from '../plugin/assemble.js';

/** The stages of XACT with the schemas that rules are checked against. */
export const XACT_STAGE_SPECS: readonly StageSpec[] = XACT_STAGES.map((name) => ({ name, message: STAGE_SCHEMAS[name] }));

/** What `check` must know of the domain. */
export const XACT_FACTS: DomainFacts = {
  name: XACT,
  stages: XACT_STAGE_SPECS,
  workers: ({ retryDelaysMs }) =>
    Object.entries(WORKERS).map(([name, { produces }]) => ({
      name,
      consumes: consumedTopics(name as XactWorker, retryDelaysMs),
      produces: [...produces.map((logical) => topicName(logical)), ...openTo(name, retryDelaysMs)],
    })),
};

/** What fails is retried by all but the worker that retries; where plugins run, their actions go to the outbox. */
function openTo(worker: string, retryDelaysMs: readonly number[]): readonly string[] {
  if (worker === 'xact-retry') return [];
  const outbox = worker === 'xact-actions' ? [] : [topicName('xact.actions_outbox')];
  return [...retryTopics(retryDelaysMs), ...outbox];
}
