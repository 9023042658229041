export * from './catalogue.js';
export * from './entry-schema.js';
export * from './load-entries.js';
export * from './raw-entries.js';
export * from './resolve-module.js';
