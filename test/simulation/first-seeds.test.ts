import { everyRuleHolds } from './seeds.js';

// Two files of five thousand: they run beside each other.
everyRuleHolds(0, 5000);
