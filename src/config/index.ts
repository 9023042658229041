export * from './check-pipeline.js';
export * from './check-report.js';
export * from './domains.js';
export * from './environment.js';
export * from './load-pipeline.js';
export * from './pipeline-config.js';
export { duration, formatDuration, parseDuration, parseSize, size } from './quantities.js';
export * from './reference.js';
