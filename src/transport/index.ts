export * from './embedded/index.js';
export * from './memory/index.js';
export type * from './transport.js';
