export { RETRY_DELAYS_MS, type Scenario, type ScenarioLimits } from './scenario.js';
export { simulateWorker, SimulationError, type SimulationOptions, type SimulationReport } from './simulate-worker.js';
export {
  orderedWorker,
  outputRecord,
  readMessage,
  simulatedSteps,
  simulatedWorker,
  type SimulatedMessage,
  type SimulatedParts,
  type SimulatedWorker,
} from './simulated-worker.js';
