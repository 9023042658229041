export * from './classify.js';
export * from './codes.js';
export * from './diagnostic.js';
export * from './error.js';
export * from './did-you-mean.js';
export * from './render.js';
export * from './schema-issues.js';
