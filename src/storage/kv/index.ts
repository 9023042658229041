export type * from './kv.js';
export * from './lmdb-kv.js';
export { untilWritable } from './write-lock.js';
