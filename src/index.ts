export * from './diagnostics/index.js';
export * from './plugin/index.js';
