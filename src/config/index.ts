export * from './pipeline-config.js';
