export type * from './kv.js';
export * from './lmdb-kv.js';
