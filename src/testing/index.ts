export { LaneError } from './lane.js';
export * from './law.js';
export * from './marbles.js';
export { MarblesError } from './verdict.js';
export { VirtualTime } from './virtual-time.js';
