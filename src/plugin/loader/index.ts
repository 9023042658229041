export * from './catalogue.js';
export * from './entry-schema.js';
export * from './load-entries.js';
export * from './raw-entries.js';
export type { EntryPatch, EntryPatches } from './read-entry.js';
export * from './resolve-module.js';
