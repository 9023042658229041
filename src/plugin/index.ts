export type * from './action.js';
export type * from './context.js';
export type * from './passed.js';

/** What each stage of each domain carries; a domain adds its stages by declaration merging, a third domain too. */
// oxlint-disable-next-line typescript/no-empty-object-type
export interface Stages {}
