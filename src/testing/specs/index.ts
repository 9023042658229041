export { type SpecTests, specTests } from './case-tests.js';
export { type AlignedRow, alignedLanes } from './aligned.js';
export { Configurations, type ConfigurationsOptions, type Mutation } from './configuration.js';
export { findSpecs, SPEC_ENDING } from './find-specs.js';
export { readSpec, type ReadSpecOptions } from './read-spec.js';
export { type CaseProblem, type CaseResult, type CaseWatcher, runCase, type RunCaseOptions } from './run-case.js';
export { caseOf, type Spec, type SpecCase, type SpecLane } from './spec.js';
export { specSchema } from './spec-schema.js';
export { placeOfResult, placeText, tellCase, tellSpec } from './tell-case.js';
