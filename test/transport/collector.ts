export { Collector, doorOf, turns, until } from '../../src/testing/contract/collector.js';
