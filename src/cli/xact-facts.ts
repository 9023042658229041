import type { DomainFacts } from '../config/check-pipeline.js';
import { STAGE_SCHEMAS, XACT_STAGES } from '../domains/xact/stages.js';
import { consumedTopics, topicName, WORKERS, XACT, type XactWorker } from '../domains/xact/topics.js';
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
      produces: produces.map((logical) => topicName(logical)),
    })),
};
