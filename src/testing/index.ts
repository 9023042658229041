export * from './kit/index.js';
export { drawLane, LaneError, type Listening, type Mark } from './lane.js';
export * from './law.js';
export * from './marbles.js';
export type { Mocks, MockUse } from './mocks.js';
export type { Expectations, MarblePlay, PlayedLane, PlayedMark, PlayProblem } from './play.js';
export { drawPlay, MarblesError } from './report.js';
export * from './picture/index.js';
export { watchPlays } from './play-watch.js';
export * from './simulation/index.js';
export {
  alignedLanes,
  type CaseResult,
  Configurations,
  findSpecs,
  readSpec,
  runCase,
  type Spec,
  type SpecCase,
  specTests,
  tellCase,
  tellSpec,
} from './specs/index.js';
export { VirtualTime } from './virtual-time.js';
export { WorkerOnLog, workerOnLog, type WorkerHost, type WorkerOnLogOptions } from './worker-on-log.js';
