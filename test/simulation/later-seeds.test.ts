import { everyRuleHolds } from './seeds.js';

everyRuleHolds(5000, 10_000);
